import type { Adapted } from "../adapters/adapter.ts";
import type { LanguageModel } from "../models/model.ts";

/** The model with an adapter beside its weights. */
export function adaptedModel(model: LanguageModel, { adaptation, head }: Adapted): LanguageModel {
  return { ...model, adaptation, ...(head && { head }) };
}
