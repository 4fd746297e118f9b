import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, linkSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { ConfigError } from '@countersign/common';
import Database from 'libsql';
import { afterEach, expect, it } from 'vitest';
import { migrations, sqliteDdl } from '../../src/storage/schema.js';
import { openDatabase, openSqlite } from '../../src/storage/sqlite.js';
import { sql } from '../../src/storage/store.js';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const built = (name: string) => JSON.stringify(new URL(`../../dist/storage/${name}.js`, import.meta.url).href);

function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-sqlite-'));
  folders.push(folder);
  return join(folder, 'authority.db');
}

it('openSqlite makes a file that only its owner can read', async () => {
  const file = newFile();
  const store = await openSqlite(file);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  await store.close();
});

it('openSqlite refuses a file in use, also after the file was read, and takes it once it is free', async () => {
  const file = newFile();
  const first = await openSqlite(file);
  readFileSync(file);
  await expect(openSqlite(file)).rejects.toThrow(/another authority uses/);
  await first.close();
  await (await openSqlite(file)).close();
});

it('openSqlite refuses a file in use by another name of it', async () => {
  const file = newFile();
  const first = await openSqlite(file);
  const [soft, folder, hard] = [`${file}.soft`, `${dirname(file)}.soft`, `${file}.hard`];
  folders.push(folder);
  symlinkSync(file, soft);
  symlinkSync(dirname(file), folder);
  for (const name of [soft, join(folder, basename(file))]) {
    await expect(openSqlite(name)).rejects.toThrow(/another authority uses/);
  }
  linkSync(file, hard);
  await expect(openSqlite(hard)).rejects.toThrow(/hard link/);
  unlinkSync(hard);
  await first.close();
  await (await openSqlite(soft)).close();
});

it('openSqlite leaves all in the one file when it is closed', async () => {
  const [file, copy] = [newFile(), newFile()];
  const store = await openSqlite(file);
  await store.run(sql`INSERT INTO countersign_one_time (purpose, id, expires_at) VALUES ('assertion', 'a', 1)`);
  await store.close();
  copyFileSync(file, copy);
  const restored = await openSqlite(copy);
  expect(await restored.run(sql`SELECT id FROM countersign_one_time`)).toEqual([{ id: 'a' }]);
  await restored.close();
});

it('openSqlite says of delegations of an older version that they were granted when they were made', async () => {
  const file = newFile();
  const db = new Database(file);
  for (const step of migrations.slice(0, 10)) db.exec(sqliteDdl(step));
  db.exec(`PRAGMA user_version = 10; INSERT INTO countersign_delegations
    (id, issuer, subject, actor, thumbprint, claims, expires_at, created_at)
    VALUES ('old', 'i', 's', 'a', '', '{}', 2000, 1000)`);
  db.close();
  const store = await openSqlite(file);
  expect(await store.run(sql`SELECT granted_at FROM countersign_delegations`)).toEqual([{ granted_at: 1000 }]);
  await store.close();
});

it('openSqlite says of approvals of an older version that their agents may have them', async () => {
  const file = newFile();
  const db = new Database(file);
  for (const step of migrations.slice(0, 14)) db.exec(sqliteDdl(step));
  db.exec(`PRAGMA user_version = 14; INSERT INTO countersign_approvals
    (id, binding, agent, tenant, request, status, version, asked_at, decide_by, ended_at, broke_glass)
    VALUES ('a', 'b', 'c', '', '{}', 'approved', 1, 1000, 3000, 2000, 0), ('b', 'b', 'c', '', '{}', 'denied', 1, 1000, 3000, 2000, 0)`);
  db.close();
  const store = await openSqlite(file);
  const rows = await store.run(sql`SELECT signed_at, recount FROM countersign_approvals ORDER BY id`);
  expect(rows).toEqual([
    { signed_at: 2000, recount: 0 },
    { signed_at: null, recount: 0 },
  ]);
  await store.close();
});

it('openSqlite refuses a file of a newer version, and releases the lock', async () => {
  const file = newFile();
  await (await openSqlite(file)).close();
  const db = openDatabase(file);
  db.exec('PRAGMA user_version = 99');
  db.close();
  await expect(openSqlite(file)).rejects.toThrow(/newer version/);
  await expect(openSqlite(file)).rejects.toThrow(/newer version/);
});

it('openSqlite refuses what is no path of a database', async () => {
  await expect(openSqlite('')).rejects.toThrow(ConfigError);
  await expect(openSqlite(join(tmpdir(), 'no', 'such', 'folder', 'a.db'))).rejects.toThrow(ConfigError);
});

it('the SQLite store keeps every acknowledged write when its process is killed, and frees the lock', async () => {
  const file = newFile();
  const program = `
    const { openSqlite } = await import(${built('sqlite')});
    const { sql } = await import(${built('store')});
    const store = await openSqlite(${JSON.stringify(file)});
    for (let n = 0; ; n += 8) {
      await Promise.all(Array.from({ length: 8 }, async (_, k) => {
        await store.run(sql\`INSERT INTO countersign_one_time (purpose, id, expires_at) VALUES ('assertion', \${String(n + k)}, 1)\`);
        console.log(String(n + k));
      }));
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const acknowledged = new Set<string>();
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.add(line);
    if (acknowledged.size === 400) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  const store = await openSqlite(file);
  const kept = new Set((await store.run(sql`SELECT id FROM countersign_one_time`)).map(({ id }) => String(id)));
  expect([...acknowledged].filter((id) => !kept.has(id))).toEqual([]);
  expect(acknowledged.size).toBeGreaterThanOrEqual(400);
  await store.close();
});
