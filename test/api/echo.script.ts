/** A child process that sends back what it is sent. */

process.once('message', (message) => process.send?.(message, () => process.disconnect()));
