// `npm run test:browser`: what needs a browser, Debian's chromium.
export default {
  files: ['dist/test/browser/**/*.test.js'],
  workerThreads: false,
  timeout: '2m',
};
