/** Says what it was sent, and ends. */

process.on('message', (message) => {
  process.send?.(message, () => process.exit());
});
