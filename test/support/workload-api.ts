import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Http2Session, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPublicKey } from 'node:crypto';
import type { IssuedCertificate, TrustDomain } from './trust-domain.js';

/** One call of a client. */
interface Call {
  readonly method: string;
  /** The fields of the request that hold text, by number. */
  readonly texts: ReadonlyMap<number, string>;
  send(message: Buffer): void;
  /** Ends the answer with status 0. */
  end(): void;
  fail(status: number, reason: string): void;
}

/** A stand-in for the agent of SPIRE: the bytes of the Workload API on a Unix socket. */
export interface FakeWorkloadApi {
  readonly socket: string;
  /** Calls so far, by method. */
  readonly calls: readonly string[];
  /** How often a client has asked whether it is alive. */
  readonly pings: () => number;
  /** Ends it as SIGKILL would: connections break, the socket stays. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function fakeWorkloadApi(answer: (call: Call) => void): Promise<FakeWorkloadApi> {
  const folder = await mkdtemp(join(tmpdir(), 'workload-'));
  const socket = join(folder, 'agent.sock');
  const calls: string[] = [];
  let pings = 0;
  const sessions = new Set<Http2Session>();
  let server = open();
  await listening();

  function open() {
    const opened = createServer();
    opened.on('session', (session) => {
      sessions.add(session);
      session.on('ping', () => (pings += 1));
      session.on('close', () => sessions.delete(session));
    });
    opened.on('stream', (stream, headers) => serve(stream, headers));
    opened.listen(socket);
    return opened;
  }

  async function listening(): Promise<void> {
    if (!server.listening) await once(server, 'listening');
  }

  function serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on('error', () => {});
    const method = String(headers[':path']).split('/').at(-1) ?? '';
    calls.push(method);
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const call: Call = {
        method,
        texts: readTexts(Buffer.concat(chunks).subarray(5)),
        send(message) {
          if (stream.destroyed) return;
          if (!stream.headersSent) {
            stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
            stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
          }
          const head = Buffer.alloc(5);
          head.writeUInt32BE(message.length, 1);
          stream.write(Buffer.concat([head, message]));
        },
        end: () => stream.end(),
        fail(status, reason) {
          const fields = { 'grpc-status': String(status), 'grpc-message': encodeURIComponent(reason) };
          stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...fields }, { endStream: true });
        },
      };
      if (headers['workload.spiffe.io'] === 'true') answer(call);
      else call.fail(3, 'security header missing from request');
    });
  }

  async function kill(): Promise<void> {
    for (const session of sessions) session.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }

  return {
    socket,
    calls,
    pings: () => pings,
    kill,
    async restart() {
      server = open();
      await listening();
    },
    async close() {
      await kill();
      await rm(folder, { recursive: true });
    },
  };
}

/** An agent of SPIRE that gives one identity of a trust domain to everybody. */
export async function fakeSpireAgent(
  domain: TrustDomain,
  path: string,
  change: { readonly jwtSvid?: (audience: string) => string } = {},
): Promise<FakeWorkloadApi> {
  return await fakeWorkloadApi((call) => {
    switch (call.method) {
      case 'FetchJWTSVID': {
        const audience = call.texts.get(1) ?? '';
        const token = change.jwtSvid?.(audience) ?? domain.jwtSvid(path, audience);
        call.send(field(1, Buffer.concat([field(1, domain.id(path)), field(2, token)])));
        call.end();
        return;
      }
      case 'FetchX509SVID':
        call.send(x509Answer(domain, path, domain.x509Svid(path)));
        return;
      case 'FetchX509Bundles':
        call.send(x509BundlesAnswer([domain]));
        return;
      case 'FetchJWTBundles':
        call.send(jwtBundlesAnswer([domain]));
        return;
      default:
        call.fail(12, 'unimplemented');
    }
  });
}

export function x509Answer(domain: TrustDomain, path: string, { key, certificate }: IssuedCertificate): Buffer {
  const svid = [
    field(1, domain.id(path)),
    field(2, certificate.raw),
    field(3, key.export({ format: 'der', type: 'pkcs8' })),
    field(4, domain.ca.certificate.raw),
  ];
  return field(1, Buffer.concat(svid));
}

export function x509BundlesAnswer(domains: readonly TrustDomain[]): Buffer {
  return Buffer.concat(
    domains.map(({ name, ca }) =>
      field(2, Buffer.concat([field(1, `spiffe://${name}`), field(2, ca.certificate.raw)])),
    ),
  );
}

export function jwtBundlesAnswer(domains: readonly TrustDomain[]): Buffer {
  return Buffer.concat(
    domains.map(({ name, jwtKey, kid }) => {
      // As SPIRE writes it: without `use`.
      const keys = [{ ...createPublicKey(jwtKey).export({ format: 'jwk' }), kid }];
      return field(1, Buffer.concat([field(1, `spiffe://${name}`), field(2, JSON.stringify({ keys }))]));
    }),
  );
}

export function field(number: number, value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)];
}

/** Fields of less than 128 bytes, or with a length of two bytes. */
function readTexts(message: Buffer): ReadonlyMap<number, string> {
  const texts = new Map<number, string>();
  for (let at = 0; at < message.length; ) {
    const tag = message[at] ?? 0;
    const [low = 0, high = 0] = message.subarray(at + 1, at + 3);
    const [length, from] = low < 128 ? [low, at + 2] : [(low & 127) + high * 128, at + 3];
    texts.set(tag >> 3, message.toString('utf8', from, from + length));
    at = from + length;
  }
  return texts;
}
