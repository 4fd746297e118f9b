/** Resolves with the next process warning that matches; others may come between. */
export function nextWarning(message: RegExp): Promise<void> {
  return new Promise((resolve) => {
    const listen = (warning: Error): void => {
      if (!message.test(warning.message)) return;
      process.off('warning', listen);
      resolve();
    };
    process.on('warning', listen);
  });
}
