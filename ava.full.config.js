// `npm run test:full`: every test, but those in a browser and under other tools.
export default {
  files: ['dist/test/**/*.test.js', '!dist/test/browser/**', '!dist/test/runners/**'],
  // Each test file in a process of its own: heaps, workers and resident pages of one do not reach
  // another. Two at a time, as many as the smallest supported machine has cores.
  workerThreads: false,
  concurrency: 2,
  timeout: '5m',
};
