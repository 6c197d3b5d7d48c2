/**
 * Points: the names of all places where the model may be cut or switched, or an error thrown.
 *
 * A point stands right before the store or atomic operation that it names. The allocator's source
 * has markers of the same names; a test compares the two lists.
 *
 * I1  POINTS is sorted, has no name twice, and has no name of MODEL_ONLY.
 */

/** Points that the allocator has, too. */
export const POINTS = [
  'attach.claim',
  'attach.reset',
  'bin.back',
  'bin.first',
  'bin.head',
  'bin.next',
  'bin.prev',
  'bin.skip',
  'brk.brk',
  'brk.commit',
  'brk.index',
  'brk.rest',
  'brk.tail',
  'chunk.claim',
  'chunk.free',
  'class.count',
  'class.partial',
  'class.spans',
  'close.bit',
  'close.held',
  'close.tag',
  'close.transit',
  'context.adopt',
  'context.claim',
  'context.dying',
  'context.free',
  'context.generation',
  'context.live',
  'context.parent',
  'context.release',
  'context.reparent',
  'context.root',
  'cut.commit',
  'cut.leadTail',
  'cut.rest',
  'cut.restTail',
  'cut.run',
  'cut.tail',
  'debug.claim',
  'debug.live',
  'debug.none',
  'debug.pending',
  'detach.slot',
  'flush.bit',
  'flush.count',
  'flush.held',
  'flush.tag',
  'flush.top',
  'flush.transit',
  'inflight.clear',
  'inflight.set',
  'large.commit',
  'large.count',
  'large.reserve',
  'large.tag',
  'large.untag',
  'lock.accept',
  'lock.mark',
  'lock.notify',
  'lock.open',
  'lock.release',
  'lock.take',
  'lock.takeover',
  'merge.commit',
  'merge.tail',
  'orphan.entry',
  'orphan.large',
  'orphan.reserve',
  'orphan.top',
  'orphan.untag',
  'pages.bins',
  'pages.index',
  'pages.join',
  'pages.mapped',
  'pages.tail',
  'partial.back',
  'partial.first',
  'partial.head',
  'partial.next',
  'partial.prev',
  'partial.skip',
  'place.done',
  'place.entry',
  'place.in',
  'place.intent',
  'place.nowhere',
  'place.out',
  'place.own',
  'place.publish',
  'place.resolved',
  'place.top',
  'place.untag',
  'pop.count',
  'pop.tag',
  'pop.top',
  'push.entry',
  'push.top',
  'push.untag',
  'recover.look',
  'recover.slot',
  'recover.tag',
  'refill.bit',
  'refill.count',
  'refill.entry',
  'refill.held',
  'refill.top',
  'refill.transit',
  'release.spans',
  'resize.commit',
  'resize.rest',
  'resize.restTail',
  'resize.tail',
  'resolve.done',
  'resolve.in',
  'resolve.out',
  'sentinel.limit',
  'sentinel.new',
  'sentinel.old',
  'span.bitmap',
  'span.commit',
  'span.count',
  'span.head',
  'span.spans',
  'top.commit',
  'top.index',
  'top.reserveTail',
  'top.rest',
  'top.restTail',
  'top.run',
  'top.tail',
  'transit.close',
  'transit.end',
  'transit.park',
] as const;

/**
 * Points of the allocator where the model has a coarser step, or none: the names of threads
 * (names.pml models them), the contents of vectors, and the end of objects, which the model writes
 * as placements of the dead thread.
 */
export const SOURCE_ONLY: readonly string[] = [
  'context.epoch',
  'context.link',
  'end.chunk',
  'end.done',
  'end.intent',
  'end.publish',
  'inflight.unmark',
  'name.count',
  'name.drop',
  'name.enter',
  'name.leave',
  'name.report',
  'name.start',
  'resolve.reserve',
  'resolve.untag',
  'vector.append',
  'vector.cut',
  'vector.done',
  'vector.even',
  'vector.freed',
  'vector.push',
  'vector.record',
  'vector.redo',
  'vector.version',
];

/** Points of the model alone: waits, looks, programs; and steps that only a mutant takes. */
export const MODEL_ONLY = [
  'attach.generation',
  'attach.wait',
  'clear',
  'context.look',
  'copy',
  'frontier.commit',
  'frontier.run',
  'frontier.tail',
  'lock.giveBack',
  'lock.wait',
  'look.again',
  'look.alive',
  'look.slot',
  'note.clear',
  'note.set',
  'note.tag',
  'orphan.look',
  'place.retract',
  'probe',
  'program.wait',
  'start',
  'verify',
  'word.lock',
  'word.takeover',
  'word.unlock',
  'word.wait',
] as const;

/** Points of MODEL_ONLY that no schedule reaches while every rule is on. */
export const MUTANT_ONLY: readonly PointName[] = [
  'attach.generation',
  'frontier.commit',
  'frontier.run',
  'frontier.tail',
  'look.slot',
  'note.clear',
  'note.set',
  'note.tag',
];

export type PointName = (typeof POINTS)[number] | (typeof MODEL_ONLY)[number];

/**
 * Stores with neither a call nor a loop before them since the last one: V8 cuts nothing there
 * (heap/marks.ts).
 */
const STRAIGHT =
  /^(pop\.(count|top)|push\.(top|untag)|transit\..*|place\.(own|top|untag|done)|orphan\.untag|sentinel\.(limit|old))$/;

const straight = new Map<string, boolean>();

export function isStraight(name: string): boolean {
  let is = straight.get(name);
  if (is === undefined) {
    is = STRAIGHT.test(name);
    straight.set(name, is);
  }
  return is;
}

/** A function of the model that writes shared words: it yields before each store. */
export type Step<R> = Generator<PointName, R, undefined>;
