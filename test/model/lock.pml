/*
 * The lock in Promela: waiting, waking, the death of owners, takeover, and slots that change hands.
 * Run by lock.sh, which says what each case must show.
 *
 * What model/locks.ts leaves out is here in full: who sleeps, who is woken, and which wake-ups a
 * death loses. What the lock guards is one bit: whole, or left half changed.
 *
 *   I1  At most one living thread is inside (assertion at each way in).
 *   I2  Whoever comes in without a takeover finds what is guarded whole (assertion).
 *   I3  Nobody waits for ever (no invalid end state).
 *
 *   OWNER    0: the lock word names the owner's slot; 1: its thread, unlike any other
 *   TIMED    a waiter wakes 0: when notified; 1: also after a limit, if the owner is dead;
 *            2: also after a limit, if the word has changed
 *   KEEPW    1: who has waited takes the lock with the waiters bit set; TAKEW: so does a takeover
 *   FAILS    so many takeovers may fail in their repair; the failed one leaves the lock ABANDONED
 *            (RETURNS 1), or its own word there (RETURNS 0)
 *   ADOPTIONS    1: a release that finds waiters may hand the lock over: no owner, waiters bit; only who
 *            has slept takes it. CALLS 1: where nobody sleeps it is opened for all; 2: and then one is
 *            woken that fell asleep in between
 *   DEATHS, NT threads at first, NR that attach later, ROUNDS of each
 */
#ifndef OWNER
#define OWNER 1
#endif
#ifndef TIMED
#define TIMED 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef HANDS
#define HANDS 1
#endif
#ifndef CALLS
#define CALLS 2
#endif
#ifndef FAILS
#define FAILS 0
#endif
#ifndef RETURNS
#define RETURNS 1
#endif
#ifndef NT
#define NT 3
#endif
#ifndef NR
#define NR 0
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef KEEPW
#define KEEPW 1
#endif
#ifndef TAKEW
#define TAKEW 1
#endif

#define THREADS (NT + NR)
#define SLOTS NT
#define WAITERS 64
#define NAME_MASK 63
#define NAME_OF(w) ((w) & NAME_MASK)

byte lock = 0;
byte slot[SLOTS];              /* thread that has the slot, 0 = none; threads count from 1 */
/* The owner of a lock that a failed takeover has left: a name of no thread, always dead. */
#define ABANDONED (THREADS + 1)
bool dead[THREADS + 2];
bool asleep[THREADS + 1];
bool woken[THREADS + 1];
byte inside = 0;               /* living threads that have the lock */
bool broken = false;           /* what the lock guards is half changed */
byte deaths = 0;
byte fails = 0;

/* The thread may end here. What it was changing stays half changed if it was inside. */
#define MAY_DIE(is_inside)                                        \
  if                                                              \
  :: deaths < DEATHS ->                                           \
     atomic {                                                     \
       deaths++;                                                  \
       dead[me] = true;                                           \
       asleep[me] = false;                                        \
       if :: is_inside -> inside--; broken = true :: else fi;     \
       goto gone                                                  \
     }                                                            \
  :: true                                                         \
  fi

inline notify_one() {
  if
  :: asleep[1] && !woken[1] -> woken[1] = true
  :: asleep[2] && !woken[2] -> woken[2] = true
#if THREADS > 2
  :: asleep[3] && !woken[3] -> woken[3] = true
#endif
#if THREADS > 3
  :: asleep[4] && !woken[4] -> woken[4] = true
#endif
  :: else
  fi
}

#define SLEEPS(t) (asleep[t] && !woken[t])
#if THREADS > 3
#define SLEEPER (SLEEPS(1) || SLEEPS(2) || SLEEPS(3) || SLEEPS(4))
#elif THREADS > 2
#define SLEEPER (SLEEPS(1) || SLEEPS(2) || SLEEPS(3))
#else
#define SLEEPER (SLEEPS(1) || SLEEPS(2))
#endif

/* A dead slot is recovered: only once no lock word names its thread, since recovery takes each
   lock. (Where words name slots, it cannot tell one owner of a slot from the next.) */
#define MAY_RECOVER(s)                                                              \
  :: atomic {                                                                       \
       slot[s] != 0 && dead[slot[s]] && slot[s] != me &&                            \
       (OWNER == 1 -> NAME_OF(lock) != slot[s] : NAME_OF(lock) != s + 1) ->         \
       slot[s] = 0                                                                  \
     }

proctype Thread(byte me) {
  byte mine = 0;      /* its slot */
  byte name;          /* what it writes into the lock word */
  byte round = 0;
  byte waited;        /* WAITERS once it has waited */
  byte seen;
  byte owner;
  bool slept;         /* it has, for this lock */
  bool found;

  if
  :: me <= NT -> atomic { mine = me - 1; slot[mine] = me }
  :: else ->
end_attach:           /* nobody may be left to free a slot: waiting here for ever is no fault */
     if
     :: atomic { slot[0] == 0 -> mine = 0; slot[0] = me }
     :: atomic { slot[1] == 0 -> mine = 1; slot[1] = me }
#if SLOTS > 2
     :: atomic { slot[2] == 0 -> mine = 2; slot[2] = me }
#endif
     fi
  fi;
  name = (OWNER == 1 -> me : mine + 1);

  do
  :: round == ROUNDS -> break
  :: else ->
     round++;
     waited = 0;
     slept = false;
again:
     MAY_DIE(false);
     atomic {                                   /* lock.take */
       seen = lock;
       if
       :: seen == 0 ->
          lock = name | waited;
          assert(inside == 0);
          inside++;
          assert(!broken);
          goto within
       :: seen == WAITERS && slept ->           /* lock.accept */
          lock = name | WAITERS;
          assert(inside == 0);
          inside++;
          assert(!broken);
          goto within
       :: else
       fi
     }
     MAY_DIE(false);
     atomic {                                   /* lock.mark */
       if
       :: (seen & WAITERS) == 0 ->
          if
          :: lock == seen -> seen = seen | WAITERS; lock = seen
          :: else -> goto again
          fi
       :: else
       fi
     }
     waited = (KEEPW -> WAITERS : 0);
     MAY_DIE(false);
     atomic {                                   /* the wait: compares and falls asleep at once */
       if
       :: lock == seen -> asleep[me] = true; woken[me] = false; slept = true
       :: else -> goto again
       fi
     }
     if
     :: woken[me]
#if TIMED >= 1
     :: OWNER == 1 && dead[NAME_OF(seen)]
     :: OWNER == 0 && seen != WAITERS && slot[NAME_OF(seen) - 1] != 0 &&
        dead[slot[NAME_OF(seen) - 1]]
     :: seen == WAITERS
#endif
#if TIMED >= 2
     :: lock != seen
#endif
     fi;
     atomic { asleep[me] = false; woken[me] = false }
     MAY_DIE(false);
     if :: lock != seen -> goto again :: else fi;
     owner = (seen == WAITERS -> 0 : (OWNER == 1 -> NAME_OF(seen) : slot[NAME_OF(seen) - 1]));
     if :: owner == 0 -> goto again :: else fi;
     MAY_DIE(false);
     if :: !dead[owner] -> goto again :: else fi;
     MAY_DIE(false);
     atomic {                                   /* lock.takeover */
       if
       :: lock == seen ->
          lock = name | (TAKEW -> WAITERS : 0);
          assert(inside == 0);
          inside++
       :: else -> goto again
       fi
     }
     MAY_DIE(true);
     if
     :: fails < FAILS ->                        /* the repair throws */
        atomic {
          fails++;
          broken = true;
          inside--;
          if :: RETURNS -> lock = ABANDONED | WAITERS :: else fi
        }
        goto next
     :: broken = false                          /* the repair is done */
     fi;
within:
     broken = true;                             /* at work */
     MAY_DIE(true);
     broken = false;
     if
     :: atomic {                                /* lock.release: handed over */
          HANDS && (lock & WAITERS) != 0 ->
          assert(NAME_OF(lock) == name);
          lock = WAITERS;
          inside--
        }
        MAY_DIE(false);
        atomic {                                /* lock.notify */
          found = SLEEPER;
          if :: found -> notify_one() :: else fi
        }
        if
        :: !found && CALLS >= 1 ->
           MAY_DIE(false);
           atomic {                             /* lock.open */
             found = (lock == WAITERS);
             if :: found -> lock = 0 :: else fi
           }
           MAY_DIE(false);
           if :: found && CALLS >= 2 -> atomic { notify_one() } :: else fi
        :: else
        fi;
        found = false;
        goto next
     :: true
     fi;
     atomic {                                   /* lock.release */
       seen = lock;
       assert(NAME_OF(seen) == name);
       lock = 0;
       inside--
     }
     MAY_DIE(false);
     if                                         /* lock.notify */
     :: (seen & WAITERS) != 0 -> atomic { notify_one() }
     :: else
     fi;
next:
     if
     MAY_RECOVER(0)
     MAY_RECOVER(1)
     :: true
     fi
  od;
  slot[mine] = 0;
gone:
  skip
}

init {
  atomic {
    dead[ABANDONED] = true;
    byte n = 1;
    do
    :: n <= THREADS -> run Thread(n); n++
    :: else -> break
    od
  }
}
