import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/** Makes a program of a file, since Node 20 runs no TypeScript by itself; returns its path. */
export async function bundle(source: URL, directory: string): Promise<string> {
  const program = `${basename(source.pathname, '.ts')}.mjs`;
  await build({
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: fileURLToPath(source),
      outDir: directory,
      emptyOutDir: false,
      target: 'node20',
      rollupOptions: { output: { entryFileNames: program } },
    },
  });
  return join(directory, program);
}
