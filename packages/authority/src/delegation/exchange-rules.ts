import type { RegisteredAgent } from '../agents/agent.js';
import type { ExchangeRule } from '../options/authority-options.js';
import type { SubjectToken } from './subject-token-reading.js';

/** The first rule that lets the agent exchange the token. Holding the token is no reason. */
export function findRule(
  rules: readonly ExchangeRule[],
  exchange: { readonly agent: RegisteredAgent; readonly token: SubjectToken; readonly issuer: string },
): ExchangeRule | undefined {
  const { agent, token, issuer } = exchange;
  return rules.find(
    (rule) =>
      (rule.agents?.includes(agent.id) ?? (rule.tag !== undefined && agent.tags.includes(rule.tag))) &&
      (rule.issuer ?? issuer) === token.issuer &&
      (token.holder === undefined ? rule.from === undefined : rule.from?.includes(token.holder) === true),
  );
}
