// Loaded before the program (node --import): SIGUSR2 throws an exception that nobody catches, SIGPIPE leaves a rejection to itself.
process.on('SIGUSR2', () => {
  setImmediate(() => JSON.parse('{"secret": crash-canary'))
})
process.on('SIGPIPE', () => {
  void Promise.reject(new Error('left alone "crash-canary"'))
})
