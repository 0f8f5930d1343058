"""CertLogic 1.3.3, the rule language of the EU DCC: evaluate, validate, explain, test, compile to Ibis."""
