/** A repository of the hub as its own tools write it, hf://OWNER/NAME or hf://OWNER/NAME@REVISION; undefined where a name is no such one. */
export function hubRepository(name: string): { repository: string; revision: string } | undefined {
  const [, repository, revision = 'main'] = /^hf:\/\/([\w.-]+\/[\w.-]+)(?:@([\w.-]+))?$/.exec(name) ?? [];
  return repository === undefined ? undefined : { repository, revision };
}
