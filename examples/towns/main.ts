/**
 * An HTTP server over one data set in shared memory, with a memory context for each request.
 *
 *     npm run example                         a server; ^C ends it
 *     npm run example -- --self-test          asks itself, and kills a worker in the middle
 *
 *     --port 8080    --threads 2    --towns 100000    --seed 1
 *     --limit 2000      maximum milliseconds of a request; its worker is killed then
 *     --requests N      stop after N requests
 *
 *     curl '127.0.0.1:8080/search?name=Ash'     /nearest?x=500&y=250     /match?name=ham$
 *          /summary?left=100&top=100&right=300&bottom=200
 *
 * However it ends, the last line shows how much of the heap is still in use: 0 bytes.
 */

import { parseArgs } from 'node:util';
import { selfTest } from './self-test.js';
import { startServer, type TownServer } from './server.js';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8080' },
    threads: { type: 'string', default: '2' },
    towns: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    limit: { type: 'string', default: '2000' },
    requests: { type: 'string', default: 'Infinity' },
    'self-test': { type: 'boolean', default: false },
  },
});
const options = {
  port: Number(values.port),
  threads: Number(values.threads),
  towns: Number(values.towns),
  seed: Number(values.seed),
  limitMs: Number(values.limit),
};

const { heap } = values['self-test']
  ? await selfTest({ ...options, port: 0 })
  : await serve(Number(values.requests));
heap.inspect.print('stats');
console.log(`${heap.stats().inUseBytes} bytes in use`);

/**
 * Serves until it is told to stop, or has answered `requests` requests; returns the stopped server.
 */
async function serve(requests: number): Promise<TownServer> {
  let stop = (): void => {};
  const told = new Promise<void>((resolve) => {
    stop = resolve;
  });
  process.once('SIGINT', stop).once('SIGTERM', stop);
  let answered = 0;
  const server = await startServer(options, () => {
    if (++answered >= requests) stop();
  });
  console.log(`listening on ${server.url}`);
  await told;
  await server.stop();
  return server;
}
