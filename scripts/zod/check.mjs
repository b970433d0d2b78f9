// Holds exemplar packets to a Zod schema of the origin's shape (ExemplarEventSchema):
// what our contract accepts the origin reads, and what breaks the origin's
// fields is refused by both.
//
//   node check.mjs FILE…    each an event, a packet or a line of `exemplar ls -o jsonl`;
//                           below a folder called invalid it must be refused
import { readFileSync } from "node:fs";
import { z } from "zod";

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const ExemplarEventSchema = z.looseObject({
  type: z.literal("hfo_exemplar_event"),
  ts: z.iso.datetime({ offset: true }),
  scope: z.string().min(1),
  preflight_receipt_id: z.string(),
  postflight_receipt_id: z.string(),
  outcome: z.enum(["ok", "partial", "error"]),
  prompt_sha256: hash,
  answer_sha256: hash,
  user_prompt: z.string().optional(),
  answer: z.string().optional(),
  tags: z.array(z.string()),
  keywords: z.array(z.string()),
  sources: z.array(z.string()),
  artifacts: z.looseObject({
    exemplar_path: z.string().min(1),
    packet_path: z.string().optional(),
    turn_receipt_path: z.string().optional(),
    operator_preflight_markdown_path: z.string().optional(),
    operator_postflight_markdown_path: z.string().optional(),
  }),
});

let bad = 0;
let seen = 0;
for (const path of process.argv.slice(2)) {
  for (const text of documents(readFileSync(path, "utf8"))) {
    const { packet = text.type === "hfo.exemplar" ? text.data : text } = text;
    const { success, error } = ExemplarEventSchema.safeParse(packet);
    seen++;
    if (success === path.includes("/invalid/")) {
      bad++;
      console.error(`${path}: ${success ? "accepted, but must be refused" : z.prettifyError(error)}`);
    }
  }
}
console.log(`${seen} packets, ${bad} of them not as they must be`);
process.exit(bad > 0 || seen === 0 ? 1 : 0);

// documents are the JSON values of a file: one, or one a line.
function documents(text) {
  try {
    return [JSON.parse(text)];
  } catch {
    return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  }
}
