import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import { cedarFromText } from '../../../src/cedar/from-source.js';
import { DRAFTS, REPO_SCHEMA, reviewerQuery } from '../../query.js';

const scope = 'principal, action == Action::"pr.create", resource';
const bad = 'Agent::"agent-bad"';

async function loads(policies: string, schema: string | undefined = REPO_SCHEMA): Promise<string> {
  try {
    const engine = await cedarFromText({ policies, ...(schema && { schema }) });
    await engine.close?.();
    return 'loaded';
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message;
  }
}

describe('history in a policy [C4]', () => {
  it.each([
    `when { context.via.contains(${bad}) }`,
    `unless { context.via.contains(${bad}) }`,
    'when { context.via.isEmpty() }',
    `when { context["via"].contains(${bad}) }`,
    `when { context.depth > 0 && (context.scope.contains("a") || context.via.contains(${bad})) }`,
    `when { {x: context}.x.via.contains(${bad}) }`,
    `when { (if context.depth == 0 then context else context).via.contains(${bad}) }`,
    'when { [context.via].contains([]) }',
    'when { context has via }',
    'when { context has via.x }',
    'when { context == context }',
  ])('a permit is refused at load: %s', async (condition) => {
    expect(await loads(`permit(${scope}) ${condition};`)).toMatch(/policies\.cedar:1: a permit reads context\.via/);
    expect(await loads(`permit(${scope}) ${condition};`, '')).toMatch(/a permit reads context\.via/);
  });

  it('is reported with the permit that reads it', async () => {
    const policies = `${DRAFTS}\npermit(${scope})\nwhen { context.via.contains(${bad}) };`;
    expect(await loads(policies)).toMatch(/policies\.cedar:12: a permit reads/);
  });

  it('may be read by a forbid, and the rest of the context by a permit', async () => {
    const policies = `forbid(${scope}) when { context.via.contains(${bad}) };
      permit(${scope}) when { context.depth < 3 && context has onBehalfOf && context.proof == "issuer" };`;
    const engine = await cedarFromText({ policies, schema: REPO_SCHEMA });
    const { context } = reviewerQuery();
    const through = (via: string[]) => engine.decide(reviewerQuery({ context: { ...context, via } }));
    expect(through([])).toMatchObject({ decision: 'allow', errors: [] });
    expect(through(['agent-good'])).toMatchObject({ decision: 'allow', errors: [] });
    expect(through(['agent-good', 'agent-bad'])).toMatchObject({ decision: 'deny', cause: 'policy' });
  });

  it('is not confused with an attribute of the resource named via', async () => {
    const schema =
      'entity Repo { via: Set<String> };\naction "pr.create" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };';
    expect(await loads(`permit(${scope}) when { resource.via.contains("x") };`, schema)).toBe('loaded');
  });
});
