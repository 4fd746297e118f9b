import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AgentOptions, createAgent, type DelegateOptions, generateAgentKey } from '@countersign/agent';
import { type ApprovalCheckOptions, checkApproval } from '@countersign/approval';
import { verifyLog, type VerifyLogOptions } from '@countersign/audit-verifier';
import { type AuthorityOptions, createAuthority, openSqlite } from '@countersign/authority';
import { authzen, type AuthzenOptions } from '@countersign/authzen';
import {
  agentsFromAuthority,
  agentsFromDatabase,
  type AgentsFromDatabaseOptions,
  agentsFromFile,
  agentsFromJwks,
  agentsFromSignatureDirectory,
  cedarFromDirectory,
  type CedarFromDirectoryOptions,
  type LiveFileOptions,
  type RemoteDirectoryOptions,
  revocationsFromFile,
  type SignatureDirectoryOptions,
} from '@countersign/core';
import { guardMcpHttp, type McpHttpOptions, type ToolRule } from '@countersign/mcp';
import { opaServer, type OpaServerOptions } from '@countersign/opa';
import { postgresAgents, postgresReplay, postgresRevocations } from '@countersign/postgres';
import {
  redisAgents,
  type RedisAgentsOptions,
  redisReplay,
  type RedisReplayOptions,
  redisRevocations,
  type RedisRevocationsOptions,
} from '@countersign/redis';
import { agentsFromSpiffe, type SpiffeAgentRule } from '@countersign/spiffe';
import type { OneTimeOptions, SharedRevocationsOptions } from '@countersign/stores';
import { Pool } from 'pg';
import { createClient } from 'redis';
import { auditRows } from './audit-rows.js';
import { opened, optionRow, type OptionRow } from './option-row.js';

const server = 'https://agents.acme.dev/keys';
const remote = {
  maxAgeSeconds: 'number',
  maxStaleSeconds: 'number',
  dangerouslyAllowHttp: 'flag',
  dangerouslyAllowPrivateAddresses: 'flag',
} as const;
const pdp = {
  timeoutSeconds: 'number',
  maxAnswerBytes: 'integer',
  failuresBeforeOpen: 'integer',
  openSeconds: 'number',
  dangerouslyAllowHttp: 'flag',
} as const;
const lookUps = { timeoutSeconds: 'number', cacheSeconds: 'number' } as const;
const oneTime = { clockSkewSeconds: 'number', timeoutSeconds: 'number', maxEntriesPerAgent: 'integer' } as const;
/** Never connected: an option is read before the store is asked. */
const redis = createClient({ disableOfflineQueue: true });
const pool = new Pool({ port: 1, max: 2 });
const unreachable = { opens: false };

async function openAuthority(options: Partial<AuthorityOptions>): Promise<void> {
  const store = await openSqlite(':memory:');
  const secret = 'secret-of-the-tests-0123456789-0123456789';
  const resources = [{ audience: 'https://api.acme.dev' }];
  const authority = createAuthority({ issuer: 'https://id.acme.dev', secret, store, resources, ...options });
  await opened(authority.finally(async () => await store.close()));
}

const users = { authenticate: () => ({ redirect: '/' }) };

async function delegate(options: DelegateOptions): Promise<void> {
  const agent = await createAgent({ id: 'agent-a', key: generateAgentKey() });
  await agent.delegate('agent-b', options);
}

/** What everything besides the guard takes. `folder`: for the files that some need. */
export function optionRows(folder: string): readonly OptionRow[] {
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const agentsFile = file('agents.json', '[]');
  const revocationsFile = file('revocations.json', '{}');
  file('policies.cedar', 'permit(principal, action, resource);');
  return [
    optionRow('agentsFromFile', { pollSeconds: 'number' }, (options: LiveFileOptions) =>
      opened(agentsFromFile(agentsFile, options)),
    ),
    optionRow('revocationsFromFile', { pollSeconds: 'number' }, (options: LiveFileOptions) =>
      opened(revocationsFromFile(revocationsFile, options)),
    ),
    optionRow('agentsFromDatabase', lookUps, (options: AgentsFromDatabaseOptions) =>
      agentsFromDatabase(() => undefined, options),
    ),
    optionRow('agentsFromJwks', remote, (options: RemoteDirectoryOptions) => agentsFromJwks(server, options)),
    optionRow(
      'agentsFromAuthority',
      remote,
      (options: RemoteDirectoryOptions) => agentsFromAuthority('https://127.0.0.1:1', options),
      unreachable,
    ),
    optionRow(
      'agentsFromSignatureDirectory',
      { ...remote, status: 'choice' },
      (options: SignatureDirectoryOptions) => agentsFromSignatureDirectory(server, options),
      { required: { id: 'agent-a' } },
    ),
    optionRow(
      'agentsFromSpiffe, agents',
      { status: 'choice' },
      (rule: SpiffeAgentRule) => agentsFromSpiffe({ trustDomains: { 'example.org': { file: '' } }, agents: [rule] }),
      { required: { id: 'spiffe://example.org/a' }, ...unreachable },
    ),
    optionRow(
      'cedarFromDirectory',
      { watch: 'flag', pollSeconds: 'number' },
      (options: CedarFromDirectoryOptions) => opened(cedarFromDirectory(folder, options)),
      unreachable,
    ),
    optionRow('opaServer', pdp, (options: OpaServerOptions) => opaServer(options), {
      required: { url: 'https://pdp.acme.dev', path: 'a/allow' },
    }),
    optionRow('authzen', { ...pdp, batchSize: 'integer' }, (options: AuthzenOptions) => authzen(options), {
      required: { url: 'https://pdp.acme.dev' },
    }),
    ...auditRows(folder),
    optionRow(
      'createAgent',
      {
        lifetimeSeconds: 'integer',
        maxBodyBytes: 'integer',
        onApprovalRequired: 'choice',
        dangerouslyAllowHttp: 'flag',
      },
      (options: AgentOptions) => createAgent(options),
      { required: { id: 'agent-a', key: generateAgentKey() } },
    ),
    optionRow('agent.delegate', { ttlSeconds: 'integer', maxHops: 'integer' }, delegate, {
      required: { scope: 'repo:read', audience: 'https://api.acme.dev' },
    }),
    optionRow(
      'createAuthority',
      { tokenLifetimeSeconds: 'integer', maxDelegationDepth: 'integer', signingKeyDays: 'integer' },
      (options: AuthorityOptions) => openAuthority(options),
    ),
    optionRow(
      'createAuthority, a resource',
      { scopeMatch: 'choice' },
      (resource: Omit<AuthorityOptions['resources'][number], 'audience'>) =>
        openAuthority({ resources: [{ audience: 'https://api.acme.dev', ...resource }] }),
    ),
    optionRow(
      'createAuthority, users',
      { longestConsentSeconds: 'integer' },
      (options: NonNullable<AuthorityOptions['users']>) => openAuthority({ users: { ...users, ...options } }),
    ),
    optionRow(
      'createAuthority, approvals',
      { denials: 'integer' },
      (approvals: NonNullable<AuthorityOptions['approvals']>) => openAuthority({ users, approvals }),
    ),
    optionRow('guardMcpHttp', { maxMessageBytes: 'integer' }, (options: McpHttpOptions) =>
      guardMcpHttp('http://127.0.0.1:1', options),
    ),
    optionRow('guardMcpHttp, tools', { onDeny: 'choice' }, (rule: ToolRule) =>
      guardMcpHttp('http://127.0.0.1:1', { tools: { search: rule } }),
    ),
    optionRow('redisAgents', lookUps, (options: RedisAgentsOptions) => redisAgents(redis, options)),
    optionRow('redisReplay', oneTime, (options: RedisReplayOptions) => redisReplay(redis, options), unreachable),
    optionRow(
      'redisRevocations',
      { maxStaleSeconds: 'number' },
      (options: RedisRevocationsOptions) => redisRevocations(redis, options),
      unreachable,
    ),
    optionRow(
      'postgresAgents',
      lookUps,
      (options: AgentsFromDatabaseOptions) => postgresAgents(pool, options),
      unreachable,
    ),
    optionRow('postgresReplay', oneTime, (options: OneTimeOptions) => postgresReplay(pool, options), unreachable),
    optionRow(
      'postgresRevocations',
      { maxStaleSeconds: 'number' },
      (options: SharedRevocationsOptions) => postgresRevocations(pool, options),
      unreachable,
    ),
    optionRow(
      'checkApproval',
      { now: 'number', clockSkewSeconds: 'number' },
      (options: ApprovalCheckOptions) => checkApproval({} as never, {} as never, options),
      { required: { now: 1, clockSkewSeconds: 0 }, ...unreachable },
    ),
    optionRow(
      'verifyLog',
      { archived: 'flag' },
      (options: VerifyLogOptions) => verifyLog(folder, options),
      unreachable,
    ),
  ];
}
