import { mcpSchema } from '@countersign/mcp';
import { guardFiles } from './guard-folder.js';
import type { ListedTool } from './list-tools.js';

/** The contents of the starter files, by path in the folder. */
export function scaffold(tools: readonly ListedTool[]): Readonly<Record<string, string>> {
  const reading = tools.filter(isReading);
  const others = tools.filter((tool) => !isReading(tool));
  const { policies } = guardFiles;
  return {
    [`${policies}/schema.cedarschema`]: `// The types Agent, Role, User and Group and the type AgentContext are built in.\n${mcpSchema}`,
    [`${policies}/policies.cedar`]: `${heading}\n${readText(reading)}\n${others.map(closedText).join('\n')}`,
    [`${policies}/cases.yaml`]: casesText(reading, others),
    [guardFiles.tools]: `${JSON.stringify({ tools: Object.fromEntries(tools.map(entryOf)) }, null, 2)}\n`,
  };
}

/** By the specification, a tool that says nothing may change things. */
function isReading({ annotations }: ListedTool): boolean {
  return annotations?.readOnlyHint === true;
}

/** With its annotations of today: a server that changes them later is not believed. */
function entryOf({ name, annotations = {} }: ListedTool): readonly [string, object] {
  return [name, { annotations }];
}

const heading = `// A start, made from the tools of the server: narrow it to what you mean. Nothing is allowed that no permit permits.
`;

/** The names are listed, because a tool that only reads may read secrets. */
function readText(reading: readonly ListedTool[]): string {
  const names = reading.map(({ name }) => `//   ${JSON.stringify(name)}\n`).join('');
  return `// Tools that say they only read. What they read may be secret: delete from tools.json what no agent needs, or narrow
// this permit to the agents that do.
${names}@id("read")
permit (
  principal is Agent,
  action in [Action::"tool.list", Action::"tool.call"],
  resource in ToolGroup::"read"
);
`;
}

/** In a comment, so that a name cannot end it: JSON escapes line breaks. */
function closedText({ name }: ListedTool): string {
  const id = JSON.stringify(name);
  return `// Closed. To open it, remove the slashes and say for whom.
// @id(${JSON.stringify(`call ${name}`)})
// permit (principal == Agent::"…", action in [Action::"tool.list", Action::"tool.call"], resource == Tool::${id});
`;
}

function casesText(reading: readonly ListedTool[], others: readonly ListedTool[]): string {
  const cases = [
    ...reading.map((tool) => caseText(tool, ['read'], 'allow')),
    ...others.map((tool) =>
      caseText(tool, [tool.annotations?.destructiveHint === false ? 'write' : 'destructive'], 'deny'),
    ),
  ];
  return `# What policy should say: countersign policy test. Add a case for whatever must never be allowed.\n${cases.join('')}`;
}

function caseText({ name }: ListedTool, groups: readonly string[], expect: 'allow' | 'deny'): string {
  const parents = groups.map((id) => ({ type: 'ToolGroup', id }));
  return `- name: ${JSON.stringify(`${name} by an agent without a role`)}
  actor: { id: agent-a, roles: [] }
  scope: []
  action: tool.call
  resource: ${JSON.stringify({ type: 'Tool', id: name, parents })}
  expect: ${expect}
`;
}
