/**
 * What the file system says, as a sentence.
 * @module
 */
const FILE_ERRORS: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'it is a folder, expected a file',
  EACCES: 'permission is missing',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EFBIG: 'it would be larger than files may be here',
  EIO: 'the device failed',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its links lead in a circle',
};

/** `report.json: the disk is full`, of whatever was thrown. */
export function fileSentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, path } = error as NodeJS.ErrnoException;
  const known = FILE_ERRORS[code ?? ''];
  if (known === undefined) return error.message;
  return path === undefined ? known : `${path}: ${known}`;
}
