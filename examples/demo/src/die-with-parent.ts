// Preloaded into every process that the demo starts: when the demo goes, by Ctrl-C, crash or SIGKILL, the IPC channel closes and so
// does this process. Nothing outlives the demo.
process.on('disconnect', () => process.exit(0));
process.channel?.unref();
