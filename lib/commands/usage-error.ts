/** Wrong use or unreadable input: one clear line for the user, exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}
