import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { CliError, exitCodes, messageOf } from './cli-error.js';
import { coloursFor, type Io } from './io.js';
import { printable } from './text.js';

const exitCodeHelp = `
Exit codes:
  0   done; for curl: the API answered 2xx
  1   failed: a file or the network
  2   wrong use, or input that cannot be read
  22  curl only: the API answered something else than 2xx`;

/** Runs one command line. Commands are loaded when they run, so that `--help` answers at once. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const program = createProgram(io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has already said what is wrong, or shown the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    io.err(`${coloursFor(io.colour.err).red('countersign:')} ${printable(messageOf(error))}\n`);
    return error instanceof CliError ? error.exitCode : exitCodes.failed;
  }
}

function createProgram(io: Io, exitWith: (code: number) => void): Command {
  const program = new Command('countersign')
    .description('Keys, signed calls and explanations for agents that identify themselves by HTTP message signatures.')
    .version(ownVersion(), '-V, --version', 'print the version')
    .exitOverride()
    .showHelpAfterError('(countersign --help shows what is possible)')
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    .addHelpText(
      'after',
      `${exitCodeHelp}

Examples:
  countersign keygen --out agent.pem --id agent-code-reviewer-01 --capabilities repo:read,pr:write:draft
  countersign curl GET https://api.acme.dev/whoami --key agent.pem
  countersign inspect "$TOKEN"`,
    );

  program
    .command('keygen')
    .description("make an Ed25519 key; print the entry for the API's agents.json")
    .option('-o, --out <file>', 'where to write the private key (mode 0600)', 'agent.key')
    .option('--id <id>', 'id of the agent (default: made from the key)')
    .option('--capabilities <scopes>', 'scopes the agent may ever use, separated by commas', '')
    .option('--format <format>', 'pem (PKCS #8), jwk, or nacl (base64 of the 64-byte secretKey)', 'pem')
    .option('--force', 'overwrite the file; the key in it is lost', false)
    .addHelpText(
      'after',
      `
The entry goes to standard output, everything else to standard error:
  countersign keygen --id agent-a --capabilities repo:read > agent-a.json`,
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
    .option('--agent <id>', 'id of the agent, for messages only: on the wire the key identifies it')
    .option('--token <token>', 'access token to act for a user; @FILE reads a file')
    .option('-v, --verbose', 'show the request and the head of the answer on standard error', false)
    .option('--dangerously-allow-http', 'send the token over plain http to other hosts than loopback', false)
    .addHelpText(
      'after',
      `
Without a Content-Type header, --data is sent as application/x-www-form-urlencoded. Redirects are not followed.
A refusal is explained on standard error, and the exit code is 22.

Examples:
  countersign curl GET https://api.acme.dev/whoami --key agent.pem
  countersign curl POST https://api.acme.dev/repos/acme/api/pulls --key agent.pem --token @token.jwt \\
    --json '{"title":"Fix the flaky test"}'`,
    )
    .action(async (method, url, options) => {
      const { curl } = await import('./commands/curl.js');
      exitWith(await curl(method, url, options, io));
    });

  program
    .command('inspect')
    .description('say in words what a token, a Signature-Input, a refusal, a key or an agents.json entry means')
    .argument('[value]', '- or nothing reads standard input', '-')
    // A PEM begins with dashes; a complaint about an unknown option would repeat the key.
    .allowUnknownOption()
    .addHelpText(
      'after',
      `
Nothing is verified and nothing is sent: it only shows what is written there.

Examples:
  countersign inspect eyJhbGciOi…
  countersign inspect 'sig=("@method" "@authority" "@path" "@query");created=…;keyid="…";tag="countersign"'
  countersign inspect - < agents.json`,
    )
    .action(async (value) => {
      const { inspect } = await import('./commands/inspect.js');
      await inspect(value, io);
    });

  return program;
}

function ownVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}
