/** verify: checks every structure of a heap against its invariants. Changes nothing. */
export {
  addProblem,
  type VerifyOptions,
  type VerifyProblem,
  type VerifyReport,
  verifyHeap,
} from './verify.js';
