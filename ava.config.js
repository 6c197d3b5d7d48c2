// `npm run test:full`, and any file of tests by its name: all but those in a browser and under other tools.
export default {
  files: [
    'dist/test/**/*.test.js',
    '!dist/test/browser/**',
    '!dist/test/runners/**',
    '!dist/test/together/**',
  ],
  // Heaps, workers and resident pages of one file do not reach another. Two at a time, as many as the
  // smallest supported machine has cores.
  workerThreads: false,
  concurrency: 2,
  timeout: '5m',
};
