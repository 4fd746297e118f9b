import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { guardMcpHttp } from '@countersign/mcp';
import { vi } from 'vitest';
import { freePort } from '../../support/free-port.js';
import { patiently } from '../../support/patiently.js';
import { behindTheGuard, type Framework, listening, rules } from './framework.js';

const programs = join(import.meta.dirname, 'programs');

/** The folders into which scripts/test-mcp-frameworks.mjs fetched frameworks, by their names. */
const fetched = new Map(
  (process.env['COUNTERSIGN_MCP_FRAMEWORKS'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => [basename(folder), folder]),
);

/** Where a framework was fetched, if it was. */
export function fetchedFolder(name: string): string | undefined {
  return fetched.get(name);
}

/** A server that is a program of its own and knows nothing of us, behind `guardMcpHttp`. */
function program(name: string, revisions: Framework['revisions'], folder: string | undefined): Framework {
  return {
    name,
    by: 'guardMcpHttp',
    revisions,
    decidesStreams: true,
    isHere: folder !== undefined,
    async start(guardFor) {
      const place = mkdtempSync(join(tmpdir(), 'countersign-framework-'));
      const ran = join(place, 'ran');
      const port = await freePort();
      const file = besidePackages(name, folder ?? programs);
      const child = spawn(process.env['COUNTERSIGN_NODE22'] ?? process.execPath, [file], {
        cwd: folder ?? programs,
        env: { ...process.env, PORT: String(port), RAN: ran },
        stdio: 'ignore',
      });
      const server = `http://127.0.0.1:${port}/mcp`;
      await vi.waitFor(async () => await (await fetch(server, { method: 'DELETE' })).text(), {
        ...patiently,
        timeout: 50_000,
      });
      const { url, stop } = await listening(guardFor, (guard) => behindTheGuard(guard, guardMcpHttp(server, rules)));
      return {
        url,
        ran: () => (existsSync(ran) ? readFileSync(ran, 'utf8').trimEnd().split('\n') : []),
        async stop() {
          await stop();
          child.kill('SIGKILL');
          await once(child, 'exit');
          rmSync(place, { recursive: true });
        },
      };
    },
  };
}

/** The program, put beside the packages that it imports. */
export function besidePackages(name: string, folder: string): string {
  const file = join(folder, `${name}.mjs`);
  if (folder === programs) return file;
  for (const one of [`${name}.mjs`, 'tools.mjs']) copyFileSync(join(programs, one), join(folder, one));
  return file;
}

/** FastMCP, which is always here. */
export const fastMcpBehindTheGuard: Framework = program('fastmcp', ['2025-11-25'], programs);

export const programsBehindTheGuard: readonly Framework[] = [
  fastMcpBehindTheGuard,
  program('mastra', ['2026-07-28'], fetchedFolder('mastra')),
  program('mcp-use', ['2025-11-25', '2026-07-28'], fetchedFolder('mcp-use')),
  program('xmcp', ['2025-11-25', '2026-07-28'], fetchedFolder('xmcp')),
];
