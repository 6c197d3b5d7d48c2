/** The server: hands requests to the workers of a pool, and ends those that take too long. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';
import { type Context, SharedHeap } from 'shmalloc';
import { HeapPool } from 'shmalloc/pool';
import type { BuilderData, Built } from './builder.js';
import type { Answer, Task } from './worker.js';

export interface ServerOptions {
  readonly port: number;
  readonly threads: number;
  readonly towns: number;
  readonly seed: number;
  /** Maximum milliseconds of a request, including its time in the queue. */
  readonly limitMs: number;
}

export interface TownServer {
  readonly url: string;
  readonly heap: SharedHeap;
  readonly dataSet: Context;
  /**
   * Answers requests that have arrived, ends the workers and the data set. The heap is empty then.
   */
  stop(): Promise<void>;
}

/** @param onAnswer called after each answer, whether it succeeded or failed */
export async function startServer(
  { port, threads, towns, seed, limitMs }: ServerOptions,
  onAnswer: () => void = () => {},
): Promise<TownServer> {
  const heap = SharedHeap.create({ size: '256MiB' });
  const { root, context } = await build(heap, towns, seed);
  // From here on this thread owns the data set, and ends it.
  const dataSet = heap.contexts.adopt(context);
  const pool = new HeapPool(heap, { filename: new URL('./worker.js', import.meta.url), threads });

  let requests = 0;
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    response.once('close', onAnswer);
    const { pathname: path, searchParams } = new URL(request.url ?? '/', 'http://towns');
    const query = Object.fromEntries(searchParams);
    const { status, body } = await ask({ id: ++requests, path, query, root });
    // The server waits for its connections to end: they must not stay open for further requests.
    if (!server.listening) response.setHeader('Connection', 'close');
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
  });

  /**
   * A worker that exceeds the limit is terminated at whatever point it is. The request's context
   * ends with it, and the pool starts another worker.
   */
  function ask(task: Task): Promise<Answer> {
    return pool
      .run<Answer>(task, { signal: AbortSignal.timeout(limitMs) })
      .catch(({ message }: Error) => ({ status: 503, body: JSON.stringify({ error: message }) }));
  }

  // Starts all workers before the first request, so that no request has to wait for that.
  const early = Array.from({ length: threads }, () =>
    pool.run({ id: 0, path: '/', query: {}, root }),
  );
  await Promise.all(early);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heap,
    dataSet,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      await closed;
      await pool.destroy();
      dataSet.delete();
    },
  };
}

/** Builds the data set in a thread of its own, so that this thread stays free. */
async function build(heap: SharedHeap, count: number, seed: number): Promise<Built> {
  const workerData: BuilderData = { heap: heap.handle, count, seed };
  const builder = new Worker(new URL('./builder.js', import.meta.url), { workerData });
  heap.watch(builder);
  const [built] = await once(builder, 'message');
  return built;
}
