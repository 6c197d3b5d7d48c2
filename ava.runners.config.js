export default {
  // jest, vitest and esbuild come from the registry: `npm run test:runners`.
  files: ['dist/test/runners/**/*.test.js'],
  workerThreads: false,
  timeout: '5m',
};
