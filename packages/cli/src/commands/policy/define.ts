import type { Command } from 'commander';
import type { Io } from '../../io.js';

/** Adds `policy` and its commands. Each is loaded when it runs. */
export function definePolicy(program: Command, io: Io, exitWith: (code: number) => void): void {
  const policy = program
    .command('policy')
    .description('start, check, test, explain and replay a folder of Cedar policies')
    .addHelpText(
      'after',
      `
Nothing is sent.

Examples:
  countersign policy new policies --routes routes.txt
  countersign policy check policies
  countersign policy test policies
  countersign policy explain policies --actor agent-a --role reader \\
    --scope invoice:read --action invoice.read --resource 'Dataset::"billing"'`,
    );
  defineNew(policy, io);
  defineCheck(policy, io, exitWith);
  defineTest(policy, io, exitWith);
  defineExplain(policy, io);
  defineReplay(policy, io, exitWith);
}

function defineNew(policy: Command, io: Io): void {
  policy
    .command('new')
    .description('write a folder to start from: schema, policies and test cases for the routes of an API')
    .argument('<folder>', 'where to write it; it must be empty or not be there yet')
    .requiredOption('-r, --routes <file>', 'the routes, one a line; - is standard input')
    .addHelpText(
      'after',
      `
A line is METHOD /path [action [Resource]], as in
  GET /invoices invoice.read Dataset
What is left out is made from the path. Lines that begin with # are left out.
The tree that Fastify's printRoutes() gives is read, too.

Each action becomes a permit for a role (reader, or writer where anything is
changed) and a scope.

Exit code 2: the folder is not empty, or a line cannot be read.

Example:
  countersign policy new policies --routes routes.txt`,
    )
    .action(async (folder, options) => {
      const { newPolicies } = await import('./new.js');
      await newPolicies(folder, options, io);
    });
}

function defineCheck(policy: Command, io: Io, exitWith: (code: number) => void): void {
  policy
    .command('check')
    .description(
      'say what would stop the start, and what can never apply, permits too much, is said twice, can fail or is misspelt',
    )
    .argument('<folder>', 'the folder of policies')
    .option('--strict', 'warnings count as errors', false)
    .option('--json', 'print what was found as JSON', false)
    .addHelpText('after', '\nExit code 3: there are errors.\n\nExample:\n  countersign policy check policies --strict')
    .action(async (folder, options) => {
      const { check } = await import('./check.js');
      exitWith(await check(folder, options, io));
    });
}

function defineTest(policy: Command, io: Io, exitWith: (code: number) => void): void {
  policy
    .command('test')
    .description('put questions to the policies and compare the decisions with what is expected')
    .argument('<folder>', 'the folder of policies')
    .argument('[cases]', 'YAML or JSON (default: cases.yaml in the folder)')
    .option('--json', 'print the results as JSON', false)
    .addHelpText(
      'after',
      `
A case, in YAML:
  - name: a reader reads invoices for a user
    actor: { id: agent-a, roles: [reader] }
    onBehalfOf: user_123
    scope: [invoice:read]
    action: invoice.read
    resource: 'Dataset::"billing"'    # or { type, id, attributes, parents }
    expect: allow                     # or deny, or error
    policies: [invoice.read]          # those that decide, by @id or
                                      # file.cedar#id; may be left out

Exit code 3: a decision is not as expected.

Example:
  countersign policy test policies`,
    )
    .action(async (folder, cases, options) => {
      const { test } = await import('./test.js');
      exitWith(await test(folder, cases, options, io));
    });
}

function defineExplain(policy: Command, io: Io): void {
  policy
    .command('explain')
    .description('decide one request and say why: which policies decided, what the nearest permits lacked')
    .argument('<folder>', 'the folder of policies')
    .option('--request <file>', 'the request, or what --log lacks of it, written like a test case; - is standard input')
    .option('--actor <id>', 'the agent that acts')
    .option('--role <role>', 'a role of it; may be repeated', collect, [])
    .option('--capability <scopes>', 'what it may ever use; may be repeated (default: the scope)', collect, [])
    .option('--subject <user>', 'on whose behalf; without it the agent acts for itself')
    .option('--scope <scopes>', 'what was delegated, separated by spaces or commas; may be repeated', collect, [])
    .option('--action <action>', 'like pr.create')
    .option('--resource <resource>', 'like \'Repo::"acme/api"\'')
    .option('--method <method>', 'method of the HTTP request')
    .option('--path <path>', 'its path')
    .option('--log <folder>', 'an audit log, whose --record is the request')
    .option('--record <number>', 'number of the record, as audit query prints it')
    .option('--agents <file>', 'agents.json: roles and capabilities, which are not in the log')
    .option('--json', 'print the explanation as JSON', false)
    .addHelpText(
      'after',
      `
What an option says counts before what the file says. A scope that no policy
asks for is noted on standard error.

A log has no attributes or parents of resources, and no authorization details.
If policies read them, --request gives them beside --log:
  resource: { attributes: { owner: user_123 }, parents: ['Folder::"shared"'] }

Exit code 0: it is decided, either way. 2: no guard could put such a request to
policy, or the schema has no such action or type. 3: it depends on what the log
does not have.

Example:
  countersign policy explain policies --actor agent-a --role reader \\
    --scope invoice:read --action invoice.read --resource 'Dataset::"billing"'
  countersign policy explain policies --log audit --record 16`,
    )
    .action(async (folder, options) => {
      const { explain } = await import('./explain.js');
      await explain(folder, options, io);
    });
}

function defineReplay(policy: Command, io: Io, exitWith: (code: number) => void): void {
  policy
    .command('replay')
    .description('put the decisions of an audit log to these policies, and show which would differ')
    .argument('<folder>', 'the folder of policies')
    .requiredOption('--log <folder>', 'an audit log, or a folder of logs; may be repeated', collect, [])
    .option('--agents <file>', 'agents.json: roles and capabilities, which are not in the log')
    .option('--actor <id>', 'only its decisions')
    .option('--action <action>', 'only decisions about it')
    .option('--since <time>', 'from then on: 2026-11-24 (00:00 UTC), 2026-11-24T15:00:00Z, or 15m, 2h, 7d before now')
    .option('--until <time>', 'before then')
    .option('--json', 'print the result as JSON', false)
    .addHelpText(
      'after',
      `
Nothing is sent, and the log is not verified. What policies read and the log
does not have cannot be replayed: attributes and parents of resources, and
authorization details. Records whose own policies would decide otherwise now
are counted as such, and no difference is claimed.

Exit code 3: decisions would differ, some cannot be told, or none was replayed.

Example:
  countersign policy replay policies --log audit --agents agents.json --since 7d`,
    )
    .action(async (folder, options) => {
      const { replay } = await import('./replay.js');
      exitWith(await replay(folder, options, io));
    });
}

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}
