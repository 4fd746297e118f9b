/** Thrown when something given as an agent's private key is not one. The message never repeats the input. */
export class KeyError extends TypeError {
  override readonly name = 'KeyError';
}
