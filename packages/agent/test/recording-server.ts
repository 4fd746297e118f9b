import { createHash, createPublicKey } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  requireComponents,
  type RequestMessage,
  type VerificationResult,
  verificationKey,
  verifyMessage,
} from '@countersign/signature';
import { mcpFields } from '@countersign/common';
import type { AgentPrivateKey } from '../src/index.js';

/** A request as it stood on the wire. */
export interface Recorded {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

export interface RecordingServer {
  readonly url: string;
  readonly host: string;
  readonly requests: Recorded[];
  last(): Recorded;
  close(): Promise<void>;
}

/** A plain node:http server that keeps what it receives, byte for byte. */
export async function recordingServer(
  answer: RequestListener = (_, res) => res.end('ok'),
  address: string = '127.0.0.1',
): Promise<RecordingServer> {
  const requests: Recorded[] = [];
  const server = createServer((req, res) => {
    void collect(req).then((body) => {
      requests.push({ method: req.method ?? '', target: req.url ?? '', rawHeaders: req.rawHeaders, body });
      answer(req, res);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const host = `${address}:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${host}`,
    host,
    requests,
    last() {
      const last = requests.at(-1);
      if (last === undefined) throw new Error('no request arrived');
      return last;
    },
    close: () => close(server),
  };
}

async function collect(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

export function field(recorded: Recorded, name: string): string | undefined {
  const values = recorded.rawHeaders.filter(
    (_, at) => at % 2 === 1 && recorded.rawHeaders[at - 1]?.toLowerCase() === name,
  );
  return values.length === 0 ? undefined : values.join(', ');
}

/** Whether Content-Digest is that of the bytes that arrived, computed by nothing of ours. */
export function digestMatches({ body, ...recorded }: Recorded): boolean {
  const expected = `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
  return field({ body, ...recorded }, 'content-digest') === expected;
}

/** Verifies by the rules that a guard applies (docs/reference/wire-profile.md). */
export function verify(
  recorded: Recorded,
  key: AgentPrivateKey,
  now: number = Date.now() / 1000,
): Promise<VerificationResult> {
  const { method, target, rawHeaders } = recorded;
  const message: RequestMessage = {
    method,
    scheme: 'http',
    authority: field(recorded, 'host') ?? '',
    target,
    rawFields: rawHeaders,
  };
  return verifyMessage(message, {
    select: { tag: 'countersign' },
    components: requireComponents({
      all: ['@method', '@authority', '@path', '@query', ...(recorded.body.length > 0 ? ['content-digest'] : [])],
      ifPresent: ['content-type', 'authorization', 'agent-delegation', 'agent-approval', ...mcpFields],
    }),
    parameters: ['created', 'expires', 'keyid', 'nonce', 'tag'],
    algorithms: ['ed25519'],
    now,
    maxAgeSeconds: 60,
    clockSkewSeconds: 5,
    resolveKey: ({ parameters }) =>
      parameters.keyid === key.thumbprint
        ? verificationKey(createPublicKey({ key: { ...key.publicJwk }, format: 'jwk' }))
        : { problem: 'unknown' },
  });
}
