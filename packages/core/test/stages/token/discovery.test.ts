import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { discoverKeys } from '../../../src/stages/token/discovery.js';
import { readIssuers } from '../../../src/stages/token/issuers.js';
import { local, startServer, type TestServer } from '../../remote/json-server.js';
import { newIssuerKey } from './tokens.js';

const keys = [newIssuerKey('Ed25519', { kid: 'one' }).jwk];

interface IssuerServer {
  readonly server: TestServer;
  /** Its name, with the path given. */
  readonly issuer: string;
  /** Which paths were asked for, in order. */
  readonly asked: string[];
  /** What each path answers; any other: 404. */
  readonly documents: Record<string, unknown>;
}

async function startIssuer(path = ''): Promise<IssuerServer> {
  const asked: string[] = [];
  const documents: Record<string, unknown> = {};
  const server = await startServer((request: IncomingMessage, response: ServerResponse) => {
    const { url = '' } = request;
    asked.push(url);
    const json = documents[url];
    if (json === undefined) return response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>no</h1>');
    return response.setHeader('content-type', 'application/json').end(JSON.stringify(json));
  });
  return { server, issuer: `http://127.0.0.1:${server.port}${path}`, asked, documents };
}

describe('discoverKeys', () => {
  it.each([
    ['', '/.well-known/oauth-authorization-server'],
    ['/', '/.well-known/oauth-authorization-server'],
    ['/tenant/1', '/.well-known/oauth-authorization-server/tenant/1'],
    ['/tenant/1/', '/.well-known/oauth-authorization-server/tenant/1'],
  ])('finds the keys by RFC 8414 metadata: issuer path %j', async (path, place) => {
    const { server, issuer, asked, documents } = await startIssuer(path);
    documents[place] = { issuer, jwks_uri: `${server.url}keys` };
    documents['/keys'] = { keys };
    expect(await discoverKeys('issuer', issuer, local)()).toEqual({ ok: true, json: { keys } });
    expect(asked).toEqual([place, '/keys']);
  });

  it.each([
    ['', '/.well-known/openid-configuration'],
    ['/tenant/1', '/tenant/1/.well-known/openid-configuration'],
  ])('else by OpenID discovery: issuer path %j', async (path, place) => {
    const { server, issuer, asked, documents } = await startIssuer(path);
    documents[place] = { issuer, jwks_uri: `${server.url}keys` };
    documents['/keys'] = { keys };
    expect(await discoverKeys('issuer', issuer, local)()).toEqual({ ok: true, json: { keys } });
    expect(asked).toEqual([`/.well-known/oauth-authorization-server${path}`, place, '/keys']);
  });

  it.each<[string, (at: { url: string; issuer: string }) => unknown, RegExp]>([
    [
      'of another issuer [B4]',
      ({ url }) => ({ issuer: 'https://id.example', jwks_uri: `${url}keys` }),
      /another issuer/,
    ],
    [
      'of the issuer with a slash [B4]',
      (at) => ({ issuer: `${at.issuer}/`, jwks_uri: `${at.url}keys` }),
      /another issuer/,
    ],
    ['of nobody [B4]', ({ url }) => ({ jwks_uri: `${url}keys` }), /another issuer/],
    ['without jwks_uri', ({ issuer }) => ({ issuer }), /no 'jwks_uri'/],
    ['with a jwks_uri that is no text', ({ issuer }) => ({ issuer, jwks_uri: ['x'] }), /no 'jwks_uri'/],
    ['with a file as jwks_uri [A14]', ({ issuer }) => ({ issuer, jwks_uri: 'file:///etc/passwd' }), /not an https URL/],
    ['with credentials [A14]', (at) => ({ issuer: at.issuer, jwks_uri: 'https://u:p@id.example/' }), /credentials/],
    ['that is no object', () => ['issuer'], /not an object/],
  ])('metadata %s is refused, and not made up for by another document', async (_title, metadata, problem) => {
    const { server, issuer, asked, documents } = await startIssuer();
    documents['/.well-known/oauth-authorization-server'] = metadata({ url: server.url, issuer });
    documents['/.well-known/openid-configuration'] = { issuer, jwks_uri: `${server.url}keys` };
    documents['/keys'] = { keys };
    expect(await discoverKeys('issuer', issuer, local)()).toMatchObject({
      ok: false,
      problem: expect.stringMatching(problem),
    });
    expect(asked).toEqual(['/.well-known/oauth-authorization-server']);
  });

  it('nobody there: says which places were tried', async () => {
    const { issuer } = await startIssuer();
    const result = await discoverKeys('issuer', issuer, local)();
    expect(result).toMatchObject({ ok: false, problem: expect.stringMatching(/oauth-authorization-server.*openid/s) });
  });
});

describe('an issuer by its name alone', () => {
  it('its keys are cached; a failed refresh keeps them, a successful one without the key drops it [A14]', async () => {
    const { server, issuer, asked, documents } = await startIssuer();
    const place = '/.well-known/oauth-authorization-server';
    documents[place] = { issuer, jwks_uri: `${server.url}keys` };
    documents['/keys'] = { keys };
    const source = readIssuers([{ issuer, ...local }]).get(issuer)?.keys;
    const at = async (seconds: number) => await source?.current(1_800_000_000 + seconds);
    expect(asked).toEqual([]);
    expect(await at(0)).toMatchObject({ kind: 'held', value: [{ kid: 'one' }] });
    expect(await at(100)).toMatchObject({ kind: 'held' });
    expect(asked).toEqual([place, '/keys']);

    documents[place] = { issuer: 'https://id.example', jwks_uri: `${server.url}keys` };
    expect(await at(301)).toMatchObject({ kind: 'held', value: [{ kid: 'one' }] });
    // Moved: the metadata is read anew.
    documents[place] = { issuer, jwks_uri: `${server.url}moved` };
    documents['/moved'] = { keys: [newIssuerKey('ES256', { kid: 'two' }).jwk] };
    expect(await at(340)).toMatchObject({ kind: 'held', value: [{ kid: 'two' }] });
    delete documents[place];
    expect(await at(340 + 3601)).toMatchObject({ kind: 'unavailable', cause: expect.stringMatching(/metadata/) });
  });
});
