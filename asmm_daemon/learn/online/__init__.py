"""Learning while trading: a shadow model, and its trial against the running one."""
