import numpy as np

from asmm_daemon.core.features import FEATURES_ID, N_STATE
from asmm_daemon.core.policy import Action, FixedPolicy, Policy


def test_plain_quoting_is_a_policy() -> None:
    """FixedPolicy always answers with its γ and skew, from no grid."""
    policy: Policy = FixedPolicy(0.2, -0.5)
    policy.reset()
    assert policy.features_id == FEATURES_ID
    assert policy.act(np.zeros(N_STATE), 0) == Action(0.2, -0.5, -1)
    assert policy.act_batch(np.zeros((3, N_STATE))).tolist() == [-1, -1, -1]
