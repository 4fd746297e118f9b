import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type Agent, createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { deferred } from '../../../test/support/deferred.js';
import { patiently } from '../../../test/support/patiently.js';
import { certificateAuthority, type TrustDomain, trustDomain } from '../../../test/support/trust-domain.js';
import { fakeWorkloadApi, field, x509Answer } from '../../../test/support/workload-api.js';
import { openSpiffeWorkload } from '../src/index.js';

const domain = trustDomain();

/** A Workload API whose X.509-SVID the test replaces. */
async function spire(path = '/client') {
  const streams = new Set<(message: Buffer) => void>();
  let svid = domain.x509Svid(path);
  const api = await fakeWorkloadApi((call) => {
    streams.add((message) => call.send(message));
    call.send(x509Answer(domain, path, svid));
  });
  onTestFinished(() => api.close());
  return {
    ...api,
    /** `key` replaces the one of the certificate; `federated` is added to the message. */
    rotate({ key, federated = Buffer.alloc(0) }: { readonly key?: KeyObject; readonly federated?: Buffer } = {}) {
      const next = domain.x509Svid(path);
      if (key === undefined) svid = next;
      const message = x509Answer(domain, path, key === undefined ? next : { ...next, key });
      for (const send of streams) send(Buffer.concat([message, federated]));
      return svid.certificate.serialNumber;
    },
    /** Replaces the authorities of the domain, and nothing else. */
    replaceBundle(next: TrustDomain) {
      for (const send of streams) send(x509Answer(next, path, svid));
    },
  };
}

/** A server that answers with the serial number of the client's certificate. */
async function server(of: TrustDomain, path = '/api') {
  const { keyPem, certificatePem } = of.x509Svid(path);
  const options = { key: keyPem, cert: certificatePem, ca: domain.ca.certificate.toString(), requestCert: true };
  let connections = 0;
  let held: Promise<void> | undefined;
  const https = createServer(options, (request, response) => {
    const serial = (request.socket as TLSSocket).getPeerX509Certificate()?.serialNumber;
    https.emit('asked');
    void (held ?? Promise.resolve()).then(() => response.end(serial));
  });
  https.on('secureConnection', () => (connections += 1));
  https.listen(0, '127.0.0.1');
  await once(https, 'listening');
  onTestFinished(() => {
    https.close().closeAllConnections();
  });
  return {
    url: `https://127.0.0.1:${(https.address() as AddressInfo).port}/`,
    connections: () => connections,
    /** Lets answers wait; returns what lets them go. */
    hold() {
      const waiting = deferred();
      held = waiting.promise;
      return () => {
        held = undefined;
        waiting.resolve();
      };
    },
    asked: () => once(https, 'asked'),
  };
}

async function ask(url: string, agent: Agent): Promise<string> {
  const [response] = (await once(get(url, { agent }), 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return text;
}

async function open(socket: string, troubles: string[] = []) {
  const workload = await openSpiffeWorkload({ socket, onTrouble: (message) => troubles.push(message) });
  onTestFinished(() => workload.close());
  return workload;
}

describe('the X.509-SVID of a workload', () => {
  it('is shown to a server that has the SPIFFE ID which is expected, and to no other [Q4, Q6]', async () => {
    const workload = await open((await spire()).socket);
    expect(workload.id).toBe('spiffe://example.org/client');
    const { url, connections } = await server(domain);
    const api = workload.httpsAgent({ server: 'spiffe://example.org/api' });
    onTestFinished(() => api.destroy());
    const serial = workload.current().chain[0]?.serialNumber;
    expect([await ask(url, api), await ask(url, api), connections()]).toEqual([serial, serial, 1]);
    const another = workload.httpsAgent({ server: 'spiffe://example.org/other' });
    await expect(ask(url, another)).rejects.toThrow('the server is not spiffe://example.org/other');
    expect(another.getName({ host: 'a' })).not.toBe(api.getName({ host: 'a' }));
    const foreign = await server(trustDomain());
    await expect(ask(foreign.url, api)).rejects.toThrow(/certificate/);
  });

  it('accepts our server beside an authority of another domain that bears our name [Q4]', async () => {
    const api = await spire();
    const workload = await open(api.socket);
    const namesake = certificateAuthority('other.org', undefined, { commonName: domain.ca.subject });
    const federated = field(3, Buffer.concat([field(1, 'spiffe://other.org'), field(2, namesake.certificate.raw)]));
    const serial = api.rotate({ federated });
    await vi.waitFor(() => expect(workload.bundles().size).toBe(2), patiently);
    const agent = workload.httpsAgent({ server: 'spiffe://example.org/api' });
    onTestFinished(() => agent.destroy());
    expect(await ask((await server(domain)).url, agent)).toBe(serial);
    const foreign = await server(trustDomain('example.org', namesake));
    await expect(ask(foreign.url, agent)).rejects.toThrow(/certificate/);
  });

  it('has one agent for each server, so that one for each request leaks nothing [A14]', async () => {
    const workload = await open((await spire()).socket);
    const { url, connections } = await server(domain);
    const agent = () => workload.httpsAgent({ server: 'spiffe://example.org/api' });
    onTestFinished(() => agent().destroy());
    for (let round = 0; round < 3; round += 1) await ask(url, agent());
    expect([connections(), agent() === agent()]).toEqual([1, true]);
    expect(workload.httpsAgent({ server: 'spiffe://example.org/other' })).not.toBe(agent());
  });

  it('is replaced without a restart: new requests show the new one [Q6]', async () => {
    const api = await spire();
    const workload = await open(api.socket);
    const { url } = await server(domain);
    const agent = workload.httpsAgent({ server: 'spiffe://example.org/api' });
    onTestFinished(() => agent.destroy());
    const before = await ask(url, agent);
    let changes = 0;
    workload.onChange(() => (changes += 1));
    const serial = api.rotate();
    await vi.waitFor(() => expect(changes).toBe(1), patiently);
    expect([await ask(url, agent), serial === before]).toEqual([serial, false]);
  });

  it('is replaced also on a connection that was in use while it changed [Q6]', async () => {
    const api = await spire();
    const workload = await open(api.socket);
    const { url, hold, asked } = await server(domain);
    const agent = workload.httpsAgent({ server: 'spiffe://example.org/api' });
    onTestFinished(() => agent.destroy());
    const before = workload.current().chain[0]?.serialNumber;
    const release = hold();
    const [busy] = [ask(url, agent), await asked()];
    const serial = api.rotate();
    await vi.waitFor(() => expect(workload.current().chain[0]?.serialNumber).toBe(serial), patiently);
    release();
    expect([await busy, await ask(url, agent)]).toEqual([before, serial]);
  });

  it('is shown on no connection to a server whose authority has left the bundle meanwhile [Q5]', async () => {
    const api = await spire();
    const workload = await open(api.socket);
    const { url, hold, asked } = await server(domain);
    const agent = workload.httpsAgent({ server: 'spiffe://example.org/api' });
    onTestFinished(() => agent.destroy());
    const release = hold();
    const [busy] = [ask(url, agent), await asked()];
    const next = trustDomain();
    api.replaceBundle(next);
    const authorities = () => workload.bundles().get('example.org')?.map(String);
    await vi.waitFor(() => expect(authorities()).toEqual([String(next.ca.certificate)]), patiently);
    release();
    await busy;
    await expect(ask(url, agent)).rejects.toThrow(/certificate/);
  });

  it('is used on while the Workload API is down, which is told once', async () => {
    const api = await spire();
    const troubles: string[] = [];
    const workload = await open(api.socket, troubles);
    const { serialNumber } = workload.current().chain[0] ?? {};
    await api.kill();
    await vi.waitFor(() => expect(troubles).toHaveLength(1), patiently);
    expect(workload.current().chain[0]?.serialNumber).toBe(serialNumber);
    await api.restart();
    const next = await vi.waitFor(() => {
      const serial = api.rotate();
      expect(workload.current().chain[0]?.serialNumber).not.toBe(serialNumber);
      return serial;
    }, patiently);
    expect(next).toBeDefined();
    expect(troubles).toHaveLength(1);
  });

  it('is replaced although the bundle of a federated domain cannot be read, which is reported once', async () => {
    const api = await spire();
    const troubles: string[] = [];
    const workload = await open(api.socket, troubles);
    const federated = field(3, Buffer.concat([field(1, 'spiffe://other.org'), field(2, 'no DER')]));
    for (let round = 0; round < 2; round += 1) {
      const serial = api.rotate({ federated });
      await vi.waitFor(() => expect(workload.current().chain[0]?.serialNumber).toBe(serial), patiently);
    }
    expect([...workload.bundles().keys()]).toEqual(['example.org']);
    expect(troubles).toEqual([expect.stringContaining('the X.509 bundle of other.org cannot be read')]);
  });

  it('is used on if the next one comes with the key of another certificate [A16]', async () => {
    const api = await spire();
    const troubles: string[] = [];
    const workload = await open(api.socket, troubles);
    const { serialNumber } = workload.current().chain[0] ?? {};
    api.rotate({ key: domain.x509Svid('/client').key });
    await vi.waitFor(() => expect(troubles).toHaveLength(1), patiently);
    expect(troubles[0]).toContain('the key of an X.509-SVID is not that of its certificate');
    expect(workload.current().chain[0]?.serialNumber).toBe(serialNumber);
  });

  it('is missing if the Workload API takes the call and sends nothing [A14]', async () => {
    const api = await fakeWorkloadApi(() => {});
    onTestFinished(() => api.close());
    await expect(openSpiffeWorkload({ socket: api.socket })).rejects.toMatchObject({
      status: 14,
      message: 'it did not answer within 10 s',
    });
  });

  it('is missing if the workload is not registered, or not with the ID that is asked for', async () => {
    const api = await fakeWorkloadApi((call) => call.fail(7, 'no identity issued'));
    onTestFinished(() => api.close());
    await expect(openSpiffeWorkload({ socket: api.socket })).rejects.toMatchObject({ status: 7 });
    const { socket } = await spire();
    await expect(openSpiffeWorkload({ socket, id: 'spiffe://example.org/other' })).rejects.toMatchObject({ status: 7 });
    await expect(openSpiffeWorkload({ socket, id: 'other' })).rejects.toThrow("'id' must be a SPIFFE ID");
    await expect(openSpiffeWorkload({ socket: 'agent.sock' })).rejects.toThrow("'socket' must be");
    const workload = await open(socket);
    expect(() => workload.httpsAgent({ server: 'localhost' })).toThrow('must be the SPIFFE ID of the server');
  });
});
