import { readFileSync } from 'node:fs';
import { Command, CommanderError, Help, type Option } from 'commander';
import { CliError, exitCodes, messageOf } from './cli-error.js';
import { withoutPrivateKeys } from '@countersign/common';
import { defineAudit } from './commands/audit/define.js';
import { defineAuthority } from './commands/authority/define.js';
import { defineInit } from './commands/init/define.js';
import { defineMcp } from './commands/mcp/define.js';
import { definePolicy } from './commands/policy/define.js';
import { defineRevocations } from './commands/revocations/define.js';
import { defineToken } from './commands/define-token.js';
import { coloursFor, type Io } from './io.js';
import { printable } from './text.js';

const exitCodeHelp = `
Exit codes:
  0   done; for curl: the API answered 2xx
  1   failed: a file or the network
  2   wrong use, or input that cannot be read
  3   inspect: what was inspected does not count (a signature, a law, a time);
      audit: a log or a proof is not right;
      policy: a policy or a decision is not
  22  curl only: the API answered something else than 2xx`;

/** Runs one command line. Commands are loaded only when they run, so that `--help` is fast. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const program = createProgram(argv, io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(idsLast(argv), { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has already printed the error or the help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    io.err(`${coloursFor(io.colour.err).red('countersign:')} ${printable(withoutPrivateKeys(messageOf(error)))}\n`);
    return error instanceof CliError ? error.exitCode : exitCodes.failed;
  }
}

/** Ids and thumbprints are base64url, and one of 64 begins like an option. What stands behind `--` is none. */
function idsLast(argv: readonly string[]): readonly string[] {
  const at = argv.findIndex(
    (text, index) => /^-[\w-]{31,}$/.test(text) && index > 0 && !argv[index - 1]?.startsWith('-'),
  );
  return at === -1 || argv.includes('--')
    ? argv
    : [...argv.slice(0, at), ...argv.slice(at + 1), '--', argv[at] as string];
}

function createProgram(argv: readonly string[], io: Io, exitWith: (code: number) => void): Command {
  const program = new Command('countersign')
    .description(
      'Keys, signed calls, delegation, explanations, policies and audit logs for agents that identify themselves by ' +
        'HTTP message signatures.',
    )
    .version(ownVersion(), '-V, --version', 'print the version')
    .exitOverride()
    .configureHelp({ optionDescription: withoutEmptyDefault })
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      outputError: (text, write) => write(printableError(withoutPrivateKeys(text), argv)),
    })
    .addHelpText(
      'after',
      `${exitCodeHelp}

Examples:
  countersign keygen --out agent.pem --id agent-a --capabilities repo:read
  countersign curl GET https://api.acme.dev/whoami --key agent.pem
  countersign inspect "$TOKEN"
  countersign policy explain policies --actor agent-a --action pr.create \\
    --resource 'Repo::"acme/api"'
  countersign audit query /var/lib/api/audit --decision deny --since 24h`,
    );

  program
    .command('keygen')
    .description("make an Ed25519 key; print the entry for the API's agents.json")
    .option('-o, --out <file>', 'where to write the private key (mode 0600)', 'agent.key')
    .option('--agents <file>', "add the entry to this file, the API's agents.json; it is made if it is missing")
    .option('--id <id>', 'id of the agent (default: made from the key)')
    .option('--capabilities <scopes>', 'scopes the agent may ever use, separated by spaces or commas', '')
    .option('--roles <names>', 'roles that policies know it by, separated by spaces or commas', '')
    .option('--format <format>', 'pem (PKCS #8), jwk, or nacl (base64 of the 64-byte secretKey)', 'pem')
    .option('--force', 'overwrite the file; the key in it is lost', false)
    .addHelpText(
      'after',
      `
The entry goes to standard output, everything else to standard error.

Exit code 1: the file is there already, or cannot be written; the agent is in
--agents already, or another keygen changes that file (FILE.lock).

Example:
  countersign keygen --out agent.pem --id agent-a --capabilities repo:read \\
    --roles reader --agents agents.json`,
    )
    .action(async (options) => {
      const { keygen } = await import('./commands/keygen.js');
      await keygen(options, io);
    });

  program
    .command('curl')
    .description('send one signed request; print the body of the answer')
    .argument('<method>', 'GET, POST, …')
    .argument('<url>', 'absolute, http or https')
    .requiredOption('-k, --key <file>', 'private key of the agent: PEM, JWK or nacl secretKey in base64')
    .option('-H, --header <line>', "a header field, 'Name: value'; may be repeated", collect, [])
    .option('-d, --data <data>', 'body; @FILE reads a file, @- standard input, byte for byte')
    .option('--json <data>', 'like --data, with the content type application/json')
    .option('--agent <id>', 'id of the agent: for messages, and to see that a bundle is for it')
    .option('--token <token>', 'access token to act for a user; @FILE reads a file')
    .option('--bundle <file>', 'bundle by which another agent handed on to this one; - is standard input')
    .option('-v, --verbose', 'show the request and the head of the answer on standard error', false)
    .option('--dangerously-allow-http', 'send the token over plain http to other hosts than loopback', false)
    .addHelpText(
      'after',
      `
Without a Content-Type header, --data is sent as
application/x-www-form-urlencoded. Redirects are not followed. A refusal is
explained on standard error.

Exit code 22: the API answered, but not 2xx. 1: it could not be reached.

Examples:
  countersign curl GET https://api.acme.dev/whoami --key agent.pem
  countersign curl POST https://api.acme.dev/repos/acme/api/pulls \\
    --key agent.pem --token @token.jwt --json '{"title":"Fix the flaky test"}'`,
    )
    .action(async (method, url, options) => {
      const { curl } = await import('./commands/curl.js');
      exitWith(await curl(method, url, options, io));
    });

  program
    .command('delegate')
    .description('hand on less than an agent holds to another agent; print the bundle that it needs')
    .requiredOption('-k, --key <file>', 'private key of the agent that hands on')
    .requiredOption('--id <id>', 'its id, as it is registered')
    .requiredOption('--to <id>', 'id of the agent to which it hands on')
    .requiredOption('--scope <scopes>', 'at least one, separated by spaces or commas')
    .option('--audience <url>', 'API at which it counts; may be repeated (default: as what is handed on)', collect, [])
    .option('--ttl <seconds>', 'until it expires, 1 to 3600 (default: 300, or as long as what is handed on)')
    .option('--token <token>', 'access token that is handed on; @FILE reads a file')
    .option('--bundle <file>', 'bundle that is handed on; - is standard input')
    .option('--max-hops <count>', 'how often it may be handed on from there; 0 forbids it')
    .option('--details <json>', 'authorization_details (RFC 9396): limits to single resources and actions')
    .option('--to-key <thumbprint>', 'the one key with which the delegate may use it')
    .addHelpText(
      'after',
      `
Nothing is sent. Without --token and --bundle the agent hands on what it may do
of its own.

Exit code 2: no API would take what is asked for, such as a wider scope.

Examples:
  countersign delegate --key agent.pem --id agent-a --to agent-b \\
    --scope repo:read --audience https://api.acme.dev --ttl 60 > bundle.json
  countersign curl GET https://api.acme.dev/repos/acme/api \\
    --key agent-b.pem --bundle bundle.json`,
    )
    .action(async (options) => {
      const { delegate } = await import('./commands/delegate.js');
      await delegate(options, io);
    });

  program
    .command('inspect')
    .description('say in words what a token, bundle, request, Signature-Input, refusal, key or agents.json entry means')
    .argument('[value]', '- or nothing reads standard input', '-')
    // A PEM begins with dashes, so the message about an unknown option would print the key.
    .allowUnknownOption()
    .option('--agents <file>', 'agents.json: verify links, and the signature of a request, with the keys in it')
    .option('--issuer-jwks <file>', "keys of the token's issuer (JWK Set): verify the token with them")
    .option('--json', 'print what was found as JSON', false)
    .addHelpText(
      'after',
      `
Nothing is sent. Without --agents and --issuer-jwks nothing is verified: it only
shows what is written there.
Of a token, a bundle or a request it draws the chain: who, how proved, what each
may do and until when.

Exit code 3: a signature does not verify, a law of delegation is broken, or
something has expired; the warnings say what. 0 where nothing was verified and
nothing is wrong, so a script that needs proof reads "verified" of --json.

Examples:
  countersign inspect eyJhbGciOi…
  countersign inspect 'sig=("@method" "@target-uri");tag="countersign"'
  countersign inspect - < agents.json
  countersign inspect - --agents agents.json --issuer-jwks jwks.json \\
    < bundle.json`,
    )
    .action(async (value, options) => {
      const { inspect } = await import('./commands/inspect.js');
      exitWith(await inspect(value, options, io));
    });

  defineToken(program, io);
  defineInit(program, io);
  defineAudit(program, io, exitWith);
  definePolicy(program, io, exitWith);
  defineMcp(program, io, exitWith);
  defineAuthority(program, io);
  defineRevocations(program, io);
  pointToHelp(program, 'countersign');
  return program;
}

/** Commander quotes arguments verbatim, with control characters and line breaks. */
function printableError(text: string, argv: readonly string[]): string {
  const quoted = argv.flatMap((argument) => [argument, argument.slice(argument.indexOf('=') + 1)]);
  const whole = quoted.reduce((message, argument) => message.replaceAll(argument, () => printable(argument)), text);
  return whole.split('\n').map(printable).join('\n');
}

/** An error in a command points to the help of that command. */
function pointToHelp(command: Command, name: string): void {
  command.showHelpAfterError(`(${name} --help shows what is possible)`);
  for (const inner of command.commands) pointToHelp(inner, `${name} ${inner.name()}`);
}

/** The default of a switch (off) or of a list (empty) is not worth printing. */
function withoutEmptyDefault(option: Option): string {
  const { defaultValue, description } = option;
  const isEmpty = defaultValue === false || String(defaultValue) === '';
  return isEmpty ? description : new Help().optionDescription(option);
}

function ownVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}
