/** trace: the allocation trace format. Imports base only. */
export * from './trace-file.js';
