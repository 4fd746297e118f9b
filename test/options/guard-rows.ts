import 'reflect-metadata';
import { agentAuth as expressAuth, permit } from '@countersign/express';
import { agentAuth as fastifyAuth, type AgentAuthOptions as FastifyOptions } from '@countersign/fastify';
import { agentAuth as koaAuth } from '@countersign/koa';
import { type AgentAuthOptions as NodeOptions, agentAuth as nodeAuth } from '@countersign/node-http';
import { type AgentAuthOptions, type PermitOptions, Permit } from '@countersign/express';
import {
  agentsFromObjects,
  type ApprovalIssuer,
  createGuard,
  type DpopOptions,
  type Guard,
  type GuardOptions,
  type IssuerOptions,
  memoryAudit,
  memoryReplayStore,
  type MemoryReplayStoreOptions,
  memoryRevocations,
  type PolicyEngine,
  type ProtectedResourceOptions,
  type RedactOptions,
  type WebBotAuthOptions,
} from '@countersign/core';
import { CountersignModule, type CountersignOptions } from '@countersign/nestjs';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import fastify from 'fastify';
import { optionRow, type OptionRow } from './option-row.js';

export const policy: PolicyEngine = {
  scopeVocabulary: [],
  knowsUsers: true,
  decide: () => ({ decision: 'allow', cause: 'policy', policies: [], policySet: 'test', errors: [] }),
};
const issuer = { issuer: 'https://id.acme.dev', jwksUri: 'https://id.acme.dev/jwks' };
const thing = { type: 'Thing', id: '1' };

async function newGuard(options: Partial<GuardOptions> = {}): Promise<Guard> {
  const required = { origin: 'https://api.acme.dev', agents: agentsFromObjects([]), policy, audit: memoryAudit() };
  return await createGuard({ ...required, ...options });
}

async function openGuard(options: Partial<GuardOptions>): Promise<void> {
  await (await newGuard(options)).close();
}

async function openFastify(options: Omit<FastifyOptions, 'guard'>): Promise<void> {
  const app = fastify();
  await app.register(fastifyAuth, { guard: newGuard(), ...options });
  await app.close();
}

async function openNest(options: Omit<CountersignOptions, 'guard'>): Promise<void> {
  class Application {
    readonly name = 'application';
  }
  Module({ imports: [CountersignModule.forRoot({ guard: newGuard(), ...options })] })(Application);
  const app = await NestFactory.create(Application, { logger: false, abortOnError: false });
  await app.init();
  await app.close();
}

const admission = { onRefusal: 'choice', everyRequest: 'flag', unmapped: 'choice' } as const;

/** What a guard, an adapter and a permit take. */
export const guardRows: readonly OptionRow[] = [
  optionRow(
    'createGuard',
    {
      mode: 'choice',
      maxDelegationDepth: 'integer',
      maxLinkLifetimeSeconds: 'integer',
      scopeMatch: 'choice',
      subjectMustAlsoBePermitted: 'flag',
      lookupTimeoutSeconds: 'integer',
      dpop: 'switch',
      webBotAuth: 'switch',
      bearer: 'flag',
      traffic: 'choice',
      maxAgeSeconds: 'integer',
      clockSkewSeconds: 'integer',
      maxBodyBytes: 'integer',
      memoryBodyBytes: 'integer',
      bodyTimeoutSeconds: 'integer',
      dangerouslyExplainRefusals: 'flag',
      dangerouslyAllowHttpOrigin: 'flag',
    },
    (options: GuardOptions) => openGuard(options),
  ),
  optionRow(
    'createGuard, issuers',
    {
      maxLifetimeSeconds: 'integer',
      dangerouslyAllowStaleStatusSeconds: 'integer',
      dangerouslyAllowHttp: 'flag',
      dangerouslyAllowPrivateAddresses: 'flag',
    },
    (options: IssuerOptions) => openGuard({ issuers: [options] }),
    { required: issuer },
  ),
  optionRow(
    'createGuard, approvals, issuers',
    { dangerouslyAllowHttp: 'flag', dangerouslyAllowPrivateAddresses: 'flag' },
    (options: ApprovalIssuer) => openGuard({ approvals: { issuers: [options] } }),
    { required: issuer },
  ),
  optionRow('createGuard, dpop', { maxAgeSeconds: 'integer', nonce: 'choice' }, (dpop: DpopOptions) =>
    openGuard({ dpop }),
  ),
  optionRow(
    'createGuard, webBotAuth',
    { maxAgeSeconds: 'integer', unsafeMethods: 'choice' },
    (webBotAuth: WebBotAuthOptions) => openGuard({ webBotAuth }),
  ),
  optionRow(
    'createGuard, redact',
    { userIds: 'choice', resourceIds: 'choice', remoteAddresses: 'choice', keepPathSegments: 'integer' },
    (redact: RedactOptions) => openGuard({ redact: { ...redact } }),
    { opens: false },
  ),
  optionRow('createGuard, protectedResource', {}, (protectedResource: ProtectedResourceOptions) =>
    openGuard({ protectedResource }),
  ),
  optionRow(
    'memoryReplayStore',
    { maxEntries: 'integer', maxEntriesPerAgent: 'integer' },
    (options: MemoryReplayStoreOptions) => memoryReplayStore(options),
  ),
  optionRow('memoryRevocations', {}, memoryRevocations),
  optionRow('agentAuth of Express', admission, (options: AgentAuthOptions) => expressAuth(newGuard(), options)),
  optionRow('agentAuth of Koa', admission, (options: AgentAuthOptions) => koaAuth(newGuard(), options)),
  optionRow('agentAuth of node:http', { onRefusal: 'choice', everyRequest: 'flag' }, (options: NodeOptions) =>
    nodeAuth(newGuard(), options),
  ),
  optionRow('agentAuth of Fastify', admission, openFastify),
  optionRow('CountersignModule', admission, openNest),
  optionRow('permit', { agentsOnly: 'flag' }, (options: PermitOptions) => permit('thing.read', thing, options)),
  optionRow('Permit', { agentsOnly: 'flag' }, (options: PermitOptions) => Permit('thing.read', thing, options)),
  optionRow('guard.filter', {}, async (options: { readonly requires?: string }) => {
    const guard = await newGuard();
    await guard.filter({} as never, 'thing.read', [], options).finally(() => guard.close());
  }),
  optionRow(
    'guard.authorize',
    {},
    async (permission: Parameters<Guard['authorize']>[1]) => {
      const guard = await newGuard();
      await guard.authorize({} as never, permission).finally(() => guard.close());
    },
    { required: { action: 'thing.read', resource: thing } },
  ),
];
