import { type ApprovalDisclosure, approvalDetails, type ApprovalRequest } from '@countersign/approval';
import type { ApprovalOptions, SignIn } from '../../src/index.js';
import { type RunningAuthority, startAuthority } from './authority.js';
import { type AgentKey, newKey, post } from './client.js';
import type { IncomingMessage } from 'node:http';

export const people: Readonly<Record<string, object>> = {
  'user:rita': { groups: ['release-managers'], amr: ['pwd', 'otp'], acr: 'phr', authTime: 1_790_000_000 },
  'user:ron': { groups: ['release-managers'] },
  'user:sam': { groups: ['security', 'release-managers'] },
  'user:olga': { groups: ['release-managers', 'team:billing'] },
  'user:mallory': { groups: ['sales'] },
  'user:tess': { groups: ['release-managers'], tenant: 'other' },
  'user:eve': {},
};

/** The session of the application, as the tests have it: a name in a cookie, and what is known of that person. */
export function authenticatePeople(request: IncomingMessage, returnTo: string): SignIn {
  const [, user] = /(?:^|; )user=([^;]+)/.exec(request.headers.cookie ?? '') ?? [];
  if (user === undefined) return { redirect: `https://app.acme.dev/login?next=${encodeURIComponent(returnTo)}` };
  const subject = decodeURIComponent(user);
  return { user: { subject, name: `Name of ${subject}`, ...people[subject] } };
}

export const requirement: ApprovalRequest['requirement'] = {
  quorums: [{ groups: ['release-managers'], count: 1 }],
  useWithinSeconds: 600,
  decideWithinSeconds: 3600,
  reason: 'optional',
  excluded: [],
};

export function requestOf(change: Partial<ApprovalRequest> = {}): ApprovalRequest {
  return {
    version: 1,
    audience: 'https://api.acme.dev',
    actor: { id: 'agent-a', owner: 'team:billing' },
    subject: { id: 'user:alice', type: 'user' },
    chain: [
      { id: 'user:alice', type: 'user', proof: 'issuer' },
      { id: 'agent-planner', type: 'agent', proof: 'issuer', owner: 'team:planning' },
      { id: 'agent-a', type: 'agent', proof: 'signature' },
    ],
    action: 'pr.merge',
    resource: { type: 'Repo', id: 'acme/api' },
    http: { method: 'POST', authority: 'api.acme.dev', path: '/repos/acme/api/pulls/7/merge' },
    policies: ['policies.cedar#merge'],
    policySet: 'a'.repeat(64),
    requirement,
    ...change,
  };
}

/** A requirement with one quorum of so many release managers. */
export function needs(count: number, change: Partial<ApprovalRequest['requirement']> = {}): Partial<ApprovalRequest> {
  return { requirement: { ...requirement, quorums: [{ groups: ['release-managers'], count }], ...change } };
}

export interface ApprovalWorld {
  readonly running: RunningAuthority;
  readonly key: AgentKey;
  /** Asks as `agent-a`, and returns the id. */
  ask(change?: Partial<ApprovalRequest>, shown?: ApprovalDisclosure): Promise<string>;
  askRaw(details: unknown, agent?: string, agentKey?: AgentKey): Promise<Response>;
  poll(id: string): Promise<Record<string, unknown>>;
  withdraw(id: string): Promise<Record<string, unknown>>;
}

export async function startApprovals(
  approvals: ApprovalOptions = {},
  options: Parameters<typeof startAuthority>[0] = {},
): Promise<ApprovalWorld> {
  const running = await startAuthority({ users: { authenticate: authenticatePeople }, approvals, ...options });
  const key = newKey();
  const facts = { id: 'agent-a', name: 'Merge bot', owner: 'team:billing', capabilities: ['pr:write'] };
  await running.authority.agents.add({ ...facts, publicKey: key.publicKey });
  const askRaw = async (details: unknown, agent = 'agent-a', agentKey = key) =>
    await post(running, '/approval', agent, agentKey, { authorization_details: JSON.stringify(details) });
  const look = async (path: string, id: string) =>
    (await (await post(running, path, 'agent-a', key, { approval_id: id })).json()) as Record<string, unknown>;
  return {
    running,
    key,
    askRaw,
    async ask(change, shown) {
      const answer = await askRaw([approvalDetails(requestOf(change), shown)]);
      const { approval_id: id } = (await answer.json()) as { approval_id?: string };
      if (id === undefined) throw new Error(`not asked: ${answer.status}`);
      return id;
    },
    poll: async (id) => await look('/approval/poll', id),
    withdraw: async (id) => await look('/approval/withdraw', id),
  };
}

/** Decides as the release manager Rita. */
export async function decide(
  { authority }: RunningAuthority,
  id: string,
  verdict: 'approve' | 'deny',
  reason?: string,
): Promise<void> {
  const { binding = '' } = (await authority.approvals?.find(id)) ?? {};
  const rita = { subject: 'user:rita', name: 'Rita', groups: ['release-managers'] };
  await authority.approvals?.decide(rita, { id, binding, verdict, ...(reason !== undefined && { reason }) });
}
