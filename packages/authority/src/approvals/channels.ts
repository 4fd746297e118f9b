import { codeOf, ConfigError, isLoopback, kindOf } from '@countersign/common';
import { computeContentDigest, nativeSigningKey, signMessage } from '@countersign/signature';
import type * as Nodemailer from 'nodemailer';
import type { SigningKeys } from '../keys/signing-keys.js';
import type { ChannelOptions } from '../options/authority-options.js';
import { mailOf, type Message, slackBody, teamsBody, webhookBody } from './messages.js';

/** Sends a message to one channel. Rejects with an error that may be shown: it has no secret of the address in it. */
export type Send = (message: Message, id: string) => Promise<void>;

export interface ChannelServices {
  readonly issuer: string;
  readonly keys: SigningKeys;
  readonly now: () => number;
}

const timeoutMilliseconds = 10_000;
const signatureSeconds = 300;

/** @throws ConfigError if it cannot be used, such as e-mail without the package for it. */
export async function openChannel(channel: ChannelOptions, services: ChannelServices): Promise<Send> {
  if (channel.type === 'email') return await openMail(channel);
  const { url, type } = channel;
  if (type === 'webhook') {
    return async (message, id) => {
      const body = JSON.stringify(webhookBody(message, id, services.issuer));
      await post(url, body, await signedFields(url, body, id, services));
    };
  }
  const write = type === 'slack' ? slackBody : teamsBody;
  return async (message) => await post(url, JSON.stringify(write(message)), {});
}

async function post(url: string, body: string, fields: Readonly<Record<string, string>>): Promise<void> {
  let status: number;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...fields },
      body,
      // The address is that of the configuration, and no other.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMilliseconds),
    });
    status = response.status;
    await response.body?.cancel();
  } catch (error) {
    // Not its message: the address of an incoming webhook is a secret.
    throw new Error(`it does not answer (${codeOf((error as { cause?: unknown }).cause) ?? kindOf(error)})`, {
      cause: error,
    });
  }
  if (status < 200 || status > 299) throw new Error(`it answers ${status}`);
}

/** RFC 9421, with the key that signs tokens, which is in `/jwks`. The nonce is that of the message, in each attempt. */
async function signedFields(
  url: string,
  body: string,
  id: string,
  { keys, now }: ChannelServices,
): Promise<Readonly<Record<string, string>>> {
  const { kid, privateKey } = keys.current(now());
  const { protocol, host, pathname, search } = new URL(url);
  const digest = computeContentDigest(Buffer.from(body));
  const created = now();
  const { signatureInput, signature } = await signMessage(
    {
      method: 'POST',
      scheme: protocol === 'http:' ? 'http' : 'https',
      authority: host,
      target: pathname + search,
      rawFields: ['content-type', 'application/json', 'content-digest', digest],
    },
    {
      key: nativeSigningKey(privateKey, { keyId: kid }),
      components: ['@method', '@target-uri', 'content-type', 'content-digest'],
      parameters: { created, expires: created + signatureSeconds, nonce: id, tag: 'countersign-webhook' },
    },
  );
  return { 'content-digest': digest, 'signature-input': signatureInput, signature };
}

async function openMail({ smtp, from, to, name }: Extract<ChannelOptions, { type: 'email' }>): Promise<Send> {
  const { createTransport } = await loadNodemailer(name);
  const { protocol, hostname } = new URL(smtp);
  const transport = createTransport({
    url: smtp,
    // Without it a password and the message would go in clear to a server that hides its STARTTLS.
    requireTLS: protocol === 'smtp:' && !isLoopback(hostname),
    connectionTimeout: timeoutMilliseconds,
    greetingTimeout: timeoutMilliseconds,
    socketTimeout: timeoutMilliseconds,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return async (message, id) => {
    try {
      const messageId = `<${id}@countersign>`;
      await transport.sendMail({ from, to: [...to], messageId, ...mailOf(message) });
    } catch (error) {
      throw new Error(`the mail server does not take it (${codeOf(error) ?? kindOf(error)})`, { cause: error });
    }
  };
}

async function loadNodemailer(name: string): Promise<Pick<typeof Nodemailer, 'createTransport'>> {
  try {
    return (await import('nodemailer')).default;
  } catch (error) {
    if (codeOf(error) !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigError(
      `createAuthority, 'approvals': channel '${name}' needs the package 'nodemailer': npm install nodemailer.`,
    );
  }
}
