import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { type Api, type Attack, refuseEach } from './api.js';
import { Connection } from './connection.js';
import type { RawRequest } from './signed-request.js';

/** Whether this release of Node drops the fields beyond `maxHeadersCount`; later ones answer 431 without any listener. */
export const serverDropsFields = await dropsFields();

/** Requests of which the server drops fields: the guard refuses them, unless the server has refused them itself. */
export function refuseEachDropped(api: Api, attacks: readonly Attack[]): void {
  if (serverDropsFields) return refuseEach(api, attacks);
  for (const [title, request] of attacks) {
    it(`refuses ${title}`, async () => refusedByServer(api, await request()));
  }
}

/** The server refuses it alone: neither the guard nor a handler sees it. */
export async function refusedByServer(api: Api, request: RawRequest): Promise<void> {
  const before = [api.records.length, api.running.handled.length];
  expect(await api.send(request)).toMatchObject({ status: 431, body: '' });
  expect([api.records.length, api.running.handled.length]).toEqual(before);
}

async function dropsFields(): Promise<boolean> {
  const server = createServer((_, response) => response.end());
  server.maxHeadersCount = 8;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const connection = await Connection.open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  connection.write(`GET / HTTP/1.1\r\nHost: a\r\n${'a: \r\n'.repeat(100)}\r\n`);
  const { status } = await connection.read();
  connection.destroy();
  server.close();
  return status === 200;
}
