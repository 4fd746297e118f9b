import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { approvalUsesInFolder } from '@countersign/core';
import { afterAll, describe, expect, it } from 'vitest';
import { approvalOf, askIn } from '../support/approvals.js';
import { auditRecords } from '../support/audit-log.js';
import { Connection } from '../support/connection.js';
import { freePort } from '../support/free-port.js';
import { serialized, signedRequest } from '../support/signed-request.js';
import { accessToken, ed25519Issuer } from '../support/tokens.js';
import { issuer, policies, reviewer, reviewerId, userId, worldConfig } from '../support/world.js';

const host = join(import.meta.dirname, '../hosts/dist/main.js');
const authority = ed25519Issuer('https://approvals.acme.dev', 'approvals-1');
const asking = `@id("asks") @approval("release-managers")
permit(principal, action == Action::"pr.merge", resource == Repo::"acme/api");`;
// `pnpm crash` kills more often.
const kills = Math.ceil(Number(process.env['COUNTERSIGN_KILLS'] ?? 24) / 8);

const root = mkdtempSync(join(tmpdir(), 'countersign-approvals-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A host in a process of its own, and how often its handler ran. */
async function start(config: string, port: number, onHandled: () => void): Promise<ChildProcess> {
  const args = [host, 'node-http', '--config', config, '--port', String(port)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the host ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as { readonly url?: string };
      if (said.url === undefined) onHandled();
      else resolve();
    });
  });
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'close');
  child.kill('SIGKILL');
  await ended;
}

/** Sends a merge, and resolves to the body of the answer; undefined if the host was killed before it came. */
async function merge(port: number, body: string, approval?: string): Promise<string | undefined> {
  const origin = `http://127.0.0.1:${port}`;
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer.issuer, aud: origin, sub: userId, act: { sub: reviewerId }, scope: 'repo:read' };
  const token = await accessToken(issuer, { ...claims, iat: now, exp: now + 300, jti: crypto.randomUUID() });
  const request = signedRequest({
    key: reviewer,
    host: new URL(origin).host,
    method: 'POST',
    target: '/repos/acme/api/merge',
    body,
    token,
    fields: approval === undefined ? [] : [['Agent-Approval', approval]],
  });
  try {
    const connection = await Connection.open(origin);
    connection.write(serialized(request));
    const { body: answer } = await connection.read();
    connection.destroy();
    return answer;
  } catch {
    return undefined;
  }
}

describe.concurrent.each([true, false])(
  'a guard that is killed while it uses approvals, kept in a folder: %j',
  (isKept) => {
    it(
      'runs nothing twice, and what was not used before can be used after the restart [C11]',
      async () => {
        const folder = mkdtempSync(join(root, 'log-'));
        const port = await freePort();
        const config = join(folder, 'config.json');
        const used = join(folder, 'used');
        await approvalUsesInFolder(used);
        const hourAgo = Date.now() / 1000 - 3600;
        utimesSync(join(used, 'epoch'), hourAgo, hourAgo);
        writeFileSync(
          config,
          JSON.stringify(
            worldConfig(join(folder, 'audit'), {
              origin: `http://127.0.0.1:${port}`,
              policies: `${policies.replace(/@id\("merges"\)[^;]*;/, '')}\n${asking}`,
              approvals: { issuers: [{ issuer: authority.issuer, jwks: { keys: [authority.jwk] } }] },
              ...(isKept && { approvalsUsed: used }),
            }),
          ),
        );
        let runs = 0;
        const count = (): void => void (runs += 1);
        let child = await start(config, port, count);
        for (let round = 0; round < kills; round += 1) {
          const body = JSON.stringify({ round });
          const approval = await approvalOf(askIn((await merge(port, body)) ?? ''), authority, {
            jti: `approval-${round}-${isKept}`,
          });
          runs = 0;
          const before = Array.from({ length: 10 }, () => merge(port, body, approval));
          await setTimeout((round * 7) % 40);
          await kill(child);
          await Promise.all(before);
          const ranBefore = runs;
          child = await start(config, port, count);
          const after = await Promise.all(Array.from({ length: 10 }, () => merge(port, body, approval)));
          expect(runs, `round ${round}`).toBeLessThanOrEqual(1);
          const refused = after.filter((answer) => answer?.includes('"approval_used"')).length;
          expect(refused).toBe(10 - (runs - ranBefore));
          // In memory, nobody knows what was used before the restart.
          if (!isKept) expect(runs).toBe(ranBefore);
        }
        await kill(child);
        const allowed = auditRecords(join(folder, 'audit')).filter(({ decision }) => decision === 'allow');
        const ids = allowed.map(({ approval }) => approval?.id);
        expect(new Set(ids).size).toBe(ids.length);
      },
      60_000 + kills * 20_000,
    );
  },
);
