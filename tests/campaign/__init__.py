"""
A campaign of random schedules against the package, in virtual time and through its public names only.

A schedule (:mod:`.schedule`) is plain data: one maintenance of one DI job, and everything that goes wrong meanwhile.
:mod:`.run` lives through it with a model of Airflow (:mod:`.airflow_model`) and a model of DataWorks
(:mod:`.dataworks_model`) that answers on a socket of this machine; :mod:`.checks` says what was not right about it. The
same seed is the same schedule, and :mod:`.shrinking` finds the smallest part of one that still goes wrong.

Nothing here may import anything of the package but its public names; how the package waits is known to :mod:`.clock`
alone.
"""
