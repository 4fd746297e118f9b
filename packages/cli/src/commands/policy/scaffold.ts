import { isReading, type Route, scopeOf } from './routes.js';

/** An action and the routes that require it. */
interface Action {
  readonly name: string;
  readonly routes: readonly Route[];
  readonly resources: readonly string[];
}

/** Types of the agent vocabulary. */
const BUILT_IN_TYPES = ['Agent', 'Role', 'User', 'Group'];

/** The contents of the starter files, by name. `forUsers`: agents may act for a user only, never for themselves. */
export function scaffold(routes: readonly Route[], forUsers = false): Readonly<Record<string, string>> {
  const names = [...new Set(routes.map(({ action }) => action))];
  const actions = names.map((name) => {
    const own = routes.filter(({ action }) => action === name);
    return { name, routes: own, resources: [...new Set(own.map(({ resource }) => resource))] };
  });
  return {
    'schema.cedarschema': schemaText(actions),
    'policies.cedar': `${HEADING}\n${actions.map((action) => policyText(action, forUsers)).join('\n')}`,
    'cases.yaml': `${CASES}\n${actions.map((action) => casesText(action, forUsers)).join('\n')}`,
  };
}

const HEADING = `// A start, made from the routes: narrow it to what you mean. Nothing is allowed that no permit permits.
// Check it: countersign policy check    Test it: countersign policy test
`;

const CASES = '# What policy should say: countersign policy test. Add a case for whatever must never be allowed.\n';

function schemaText(actions: readonly Action[]): string {
  const types = [...new Set(actions.flatMap(({ resources }) => resources))].filter(
    (type) => !BUILT_IN_TYPES.includes(type),
  );
  const entities = types.length === 0 ? '' : `entity ${types.join(', ')};\n\n`;
  const declared = actions.map(
    ({ name, resources }) =>
      `action "${name}" appliesTo { principal: [Agent], resource: [${resources.join(', ')}], context: AgentContext };\n`,
  );
  return `// The types Agent, Role, User and Group and the type AgentContext are built in.\n${entities}${declared.join('')}`;
}

function policyText(action: Action, forUsers: boolean): string {
  const { name, routes, resources } = action;
  const listed = routes.map(({ method, path }) => `// ${method} ${path}\n`).join('');
  const [only, ...others] = resources;
  return `${listed}@id("${name}")
permit (
  principal in Role::"${roleFor(action)}",
  action == Action::"${name}",
  resource${only !== undefined && others.length === 0 ? ` is ${only}` : ''}
) when {
  context.scope.contains("${scopeOf({ action: name })}")${forUsers ? ' && context has onBehalfOf' : ''}
};
`;
}

function casesText(action: Action, forUsers: boolean): string {
  const { name } = action;
  const [scope, role] = [scopeOf({ action: name }), roleFor(action)];
  const asked = `  action: ${name}\n  resource: '${resourceOf(action)}'\n`;
  const nobodysCase = `- name: ${name} by a ${role} that acts for nobody
  actor: { id: agent-a, roles: [${role}], capabilities: ['${scope}'] }
  scope: ['${scope}']
${asked}  expect: deny
`;
  return `- name: ${name} by a ${role} to whom ${scope} was delegated
  actor: { id: agent-a, roles: [${role}] }
  onBehalfOf: user_123
  scope: ['${scope}']
${asked}  expect: allow
  policies: [${name}]
- name: ${name} by a ${role} without that scope
  actor: { id: agent-a, roles: [${role}] }
  onBehalfOf: user_123
  scope: []
${asked}  expect: deny
- name: ${name} by an agent without a role
  actor: { id: agent-b, roles: [] }
  onBehalfOf: user_123
  scope: ['${scope}']
${asked}  expect: deny
${forUsers ? nobodysCase : ''}`;
}

/** As `init` names it in a permit: by the id in the path, or as the one of a path without an id. */
function resourceOf({ routes: [route] }: Action): string {
  return `${route?.resource}::"${/[:*{]/.test(route?.path ?? '') ? '1' : '*'}"`;
}

function roleFor({ routes }: Action): 'reader' | 'writer' {
  return routes.every(isReading) ? 'reader' : 'writer';
}
