import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { generateAgentKey } from '@countersign/agent';
import { AuthorityError, ConfigError, createAuthority, developmentUser, openSqlite } from '@countersign/authority';
import { isLoopback } from '@countersign/common';
import type { ScopeMatch } from '@countersign/delegation';
import { calculateJwkThumbprint, type JWK, SignJWT } from 'jose';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { answerLater, listenOn, readAddress } from '../listen-on.js';
import { readScopes } from '../scopes.js';
import { closeServer, reportTo, stopSignal } from './serve.js';

export interface DevOptions {
  readonly listen: string;
  readonly api: string;
  readonly agent: string;
  readonly user: string;
  readonly scope: string;
  readonly scopeMatch: ScopeMatch;
  readonly roles: string;
  readonly approver: string;
  readonly groups: string;
}

/** A user has to work with the token for a day; an identity provider would issue minutes. */
const userTokenSeconds = 86_400;
/** The identity provider of `dev`. Nobody asks it: the authority is given its key. */
const loginIssuer = 'https://login.localhost';

/** Runs an authority in memory, and prints keys and tokens with which to try it. */
export async function dev(options: DevOptions, io: Io): Promise<void> {
  if (process.env['NODE_ENV'] === 'production') {
    throw new CliError(
      '`countersign dev` prints private keys; it does not run with NODE_ENV=production',
      exitCodes.usage,
    );
  }
  const { host } = readAddress(options.listen);
  if (!isLoopback(host)) throw new CliError('--listen: only loopback, like 127.0.0.1:8787', exitCodes.usage);
  const scope = readScopes('--scope', options.scope);
  if (scope.length === 0) throw new CliError('--scope: name at least one scope', exitCodes.usage);
  const roles = namesIn(options.roles);
  const stopped = stopSignal();
  const server = createServer();
  const serve = answerLater(server);
  const issuer = await listenOn(server, options.listen);
  try {
    const login = await newLogin(issuer);
    const adminToken = randomBytes(32).toString('base64url');
    const authority = await openAuthority(issuer, adminToken, login.jwk, options, io);
    serve(authority.listener);
    try {
      const key = generateAgentKey();
      await authority.agents.add({ id: options.agent, jwk: key.publicJwk, capabilities: scope, roles, tags: ['dev'] });
      const token = await login.token(options.user, scope);
      const privateKey = key.exportJwk();
      const user = { id: `dev:${options.user}`, token };
      const approvals = { url: `${issuer}/approvals`, approver: `dev:${options.approver}`, groups: groupsIn(options) };
      io.out(
        `${JSON.stringify({ issuer, api: options.api, adminToken, agent: { id: options.agent, privateKey }, user, approvals, issuerKey: login.privateJwk })}\n`,
      );
      io.err(pasteHelp(issuer, options, scope));
      await stopped;
      await closeServer(server);
    } finally {
      await authority.close();
    }
  } catch (error) {
    if (error instanceof ConfigError || error instanceof AuthorityError)
      throw new CliError(error.message, exitCodes.usage);
    throw error;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function openAuthority(
  issuer: string,
  adminToken: string,
  loginKey: JWK,
  options: DevOptions,
  io: Io,
): ReturnType<typeof createAuthority> {
  const { api, scopeMatch, agent, approver } = options;
  return await createAuthority({
    issuer,
    secret: randomBytes(32).toString('base64'),
    store: await openSqlite(':memory:'),
    resources: [{ audience: api, scopeMatch }],
    adminTokens: [adminToken],
    externalIssuers: [{ issuer: loginIssuer, audience: issuer, subjectNamespace: 'dev:', jwks: { keys: [loginKey] } }],
    exchange: [{ agents: [agent], issuer: loginIssuer }],
    users: { authenticate: developmentUser(`dev:${approver}`, approver, { groups: groupsIn(options) }) },
    approvals: {},
    onTrouble: reportTo(io),
  });
}

/** The key of the identity provider, and what it says of users. */
async function newLogin(audience: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const jwk = publicKey.export({ format: 'jwk' }) as JWK;
  const kid = await calculateJwkThumbprint(jwk);
  return {
    jwk: { ...jwk, kid },
    privateJwk: { ...privateKey.export({ format: 'jwk' }), kid },
    async token(user: string, scope: readonly string[]): Promise<string> {
      const now = Math.floor(Date.now() / 1000);
      return await new SignJWT({ scope: scope.join(' ') })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid })
        .setIssuer(loginIssuer)
        .setSubject(user)
        .setAudience(audience)
        .setIssuedAt(now)
        .setExpirationTime(now + userTokenSeconds)
        .sign(privateKey);
    },
  };
}

function groupsIn({ groups }: DevOptions): readonly string[] {
  return namesIn(groups);
}

function namesIn(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((name) => name !== '');
}

function pasteHelp(issuer: string, options: DevOptions, scope: readonly string[]): string {
  const { api, agent, user, approver } = options;
  const [name, on, origin] = [agent, issuer, api].map((text) => printable(text));
  return `An authority in memory on ${on}. Agent ${name} acts for ${printable(user)} with ${scope.join(' ')}.
The API sees the user as dev:${printable(user)}; countersign token mints tokens for users whom it knows.
Roles of the agent: ${printable(namesIn(options.roles).join(', '))}.
Standard output got its keys and tokens as JSON: redirect it to dev.json.

In the API, for createGuard:
  origin: '${origin}',
  agents: await agentsFromAuthority('${on}', { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true }),
  issuers: [{ issuer: '${on}', dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true }],

If a policy asks for approval, also:
  approvals: { issuers: [{ issuer: '${on}', dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true }] },
and decide on ${on}/approvals, where you are ${printable(approver)} of ${printable(groupsIn(options).join(', '))}.
The agent waits with onApprovalRequired: 'wait' in createAgent.

In the agent:
  const dev = JSON.parse(readFileSync('dev.json', 'utf8'));
  const agent = await createAgent({ id: dev.agent.id, key: loadAgentKey(dev.agent.privateKey), authority: dev.issuer });
  const forUser = await agent.actFor(dev.user.token);
  await forUser.fetch('${origin}/…');

With a user token of your own: sign it with issuerKey, iss ${loginIssuer}, aud ${on}.
Stop with Ctrl-C; everything is lost then.
`;
}
