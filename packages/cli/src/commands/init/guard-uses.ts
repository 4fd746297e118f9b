import type { Source } from './sources.js';
import { nodesIn, parsed } from './syntax.js';

const names = /\b(?:agentAuth|CountersignModule)\b/;
const usedIn = /^(?:Optional)?(?:Call|Member)Expression$|^ArrayExpression$/;

/** Whether code has the guard, as in `app.use(agentAuth(guard))`. An import or a comment that names it guards nothing. */
export function usesGuard(source: Source): boolean {
  return parentsOfNames(source).some((type) => usedIn.test(type));
}

/** Whether code names the guard, also in an import. */
export function mentionsGuard(source: Source): boolean {
  return parentsOfNames(source).length > 0;
}

/** The types of the nodes around each name of the guard; a call for a file that does not parse. */
function parentsOfNames(source: Source): readonly string[] {
  if (!names.test(source.text)) return [];
  const program = parsed(source);
  if (program === undefined) return ['CallExpression'];
  return nodesIn(program).flatMap(({ node, parent }) =>
    node.type === 'Identifier' && names.test(String(node['name'])) ? [parent?.node.type ?? ''] : [],
  );
}
