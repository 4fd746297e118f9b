// The one situation that every server of the benchmark is in: who calls, for whom, and by which policies.
export const ORIGIN = 'http://127.0.0.1';
export const HOST = '127.0.0.1';
export const ISSUER = 'https://id.example.com';
export const ISSUER_KEY_ID = 'issuer-1';
export const USER = 'user_123';
export const AGENT = 'agent-code-reviewer-01';
/** Agents that hand on to each other, the last of them to `AGENT`. */
export const DELEGATORS = ['agent-planner-01', 'agent-lead-01', 'agent-author-01'];
export const CAPABILITY = 'pr:write';
export const SCOPE = 'pr:write:draft';
export const REPOSITORY = 'acme/api';
export const PATH = `/repos/${REPOSITORY}/pulls`;
export const ROUTE = '/repos/:owner/:repo/pulls';
export const BODY = JSON.stringify({ title: 'Fix the flaky test', draft: true });
/** What every server answers to an allowed request. */
export const ANSWER = { ok: true };

const head = (agent) =>
  `principal == Agent::"${agent}", action == Action::"pr.create", resource == Repo::"${REPOSITORY}"`;

/** One policy allows the request; the others are those of other agents. */
export function policyText(count) {
  const others = Array.from(
    { length: count - 1 },
    (_, at) => `@id("other-${at}") permit(${head(`agent-${at}`)}) when { context.scope.contains("${SCOPE}") };`,
  );
  const ours = `@id("reviewer") permit(${head(AGENT)})
    when { context has onBehalfOf && context.onBehalfOf == User::"${USER}" && context.scope.contains("${SCOPE}") };`;
  return [...others, ours].join('\n');
}
