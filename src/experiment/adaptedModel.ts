import type { Adapted } from "../adapters/adapter.ts";
import type { LanguageModel } from "../models/model.ts";

/** The model with an adapter beside its weights; it reads fewer tokens where the adapter takes positions. */
export function adaptedModel(model: LanguageModel, { adaptation, head }: Adapted): LanguageModel {
  const maxLength = model.maxLength - (adaptation.firstPosition ?? 0);
  return { ...model, maxLength, adaptation, ...(head && { head }) };
}
