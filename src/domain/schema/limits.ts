import { z } from 'zod';

const whole = (max: number) => z.number().int().min(1).max(max).optional();
const tebibyte = 1_048_576;

/** `limits` of a command, of a repository, and the maximum of the policy. What is not named has its default. */
export const limitsSchema = z.strictObject({
  memory_mib: whole(tebibyte),
  processes: whole(1_000_000),
  cpu_seconds: whole(10_000_000),
  file_mib: whole(tebibyte),
  open_files: whole(1_000_000),
  disk_mib: whole(tebibyte),
  files: whole(1_000_000_000),
  output_mib: whole(tebibyte),
});
