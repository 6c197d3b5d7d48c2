/** A worker of the pool: answers one request after the other from the data set in the heap. */

import { SharedHeap } from 'shmalloc';
import { QUERIES, type Question } from './queries.js';
import { Towns } from './towns.js';

/** The message to a worker: the question, and the address of the data set. Not the towns. */
export interface Task extends Question {
  readonly id: number;
  readonly root: number;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

const heap = SharedHeap.current(); // the pool\'s heap
let towns: Towns | undefined;

export default function answer({ id, path, query, root }: Task): Answer {
  const ask = QUERIES[path];
  if (ask === undefined) return { status: 404, body: JSON.stringify({ error: `no ${path} here` }) };
  towns ??= new Towns(heap, root);
  // The memory that the answer needs ends with this function, however it ends: by return, by a
  // throw, or by the death of this thread.
  using request = heap.contexts.create('request', { ident: `${id} ${path}` });
  try {
    return { status: 200, body: JSON.stringify(ask(towns, request, query)) };
  } catch (error) {
    return { status: 400, body: JSON.stringify({ error: String(error) }) };
  }
}
