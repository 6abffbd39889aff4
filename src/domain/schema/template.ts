import { z } from 'zod';
import { createMissionSchema } from './mission-package.ts';
import { text } from './text.ts';

/** A part of a create body: what is there must be right, what is missing is said by whoever uses the template. */
export const templatePackageSchema = createMissionSchema.omit({ crypto_signatures: true, template_id: true }).partial();

export const createTemplateSchema = z.strictObject({
  name: text(200), description: text(2_000).optional(), package: templatePackageSchema,
});
