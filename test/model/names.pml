/*
 * The table of names in Promela (sync/names.ts): threads come, take one lock, go, and may die before
 * any step; the system gives the ids of the dead to new threads; the table has fewer entries than
 * there are threads. Run by lock.sh.
 *
 *   I1  No lock of a living thread is taken over (assertion).
 *   I2  No lock of a thread that is, or was, is taken for broken (assertion).
 *   I3  Who finds the table full of living threads gives up; nobody waits for ever.
 *
 *   STARTS   1: an entry's start time says whose it is (TAGGED), so that one that is left over is none
 *   COUNTED  1: a missing name is believed only if nobody has come meanwhile
 *   BACK     1: a failed takeover puts the dead owner's name back; 0: it leaves the lock abandoned
 *   AGAIN    1: a thread may come a second time
 *   HELD     1: a dead name is taken out only where it stands in no lock
 */
#ifndef STARTS
#define STARTS 1
#endif
#ifndef TAGGED
#define TAGGED 1
#endif
#ifndef COUNTED
#define COUNTED 1
#endif
#ifndef BACK
#define BACK 0
#endif
#ifndef HELD
#define HELD 1
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef AGAIN
#define AGAIN 1
#endif
#define THREADS 3
#define ENTRIES 2
#define IDS 2
#define ABANDONED (THREADS + 1)
#define NONE 255

byte lock = 0;                   /* 0, a name, ABANDONED */
byte entryName[ENTRIES];         /* name and id: one word */
byte entryId[ENTRIES];
byte entryStart[ENTRIES];        /* start, and whose it is: one word */
byte entryTag[ENTRIES];
byte comings = 0;

/* The system: which thread has an id now, and since when. */
byte runs[IDS + 1];
byte startOf[THREADS + 2];
bool dead[THREADS + 2];
byte clock = 0;
byte deaths = 0;

#define MAY_DIE                                                                    \
  if                                                                               \
  :: deaths < DEATHS ->                                                            \
     atomic { deaths++; dead[me] = true; runs[id] = 0; goto gone }                 \
  :: true                                                                          \
  fi

/* verdict: 1 alive, 2 dead, 3 no such thread. Each look is a step of its own. */
inline look_entry(n) {
  d_step { foundId = entryId[n]; foundName = entryName[n] }
  d_step { foundStart = entryStart[n]; if :: TAGGED && entryTag[n] != foundName -> foundStart = 0 :: else fi }
  d_step {
    if
    :: foundName == 0 -> verdict = 3
    :: foundName != 0 && runs[foundId] == 0 -> verdict = 2
    :: foundName != 0 && runs[foundId] != 0 ->
       if
       :: STARTS && foundStart != 0 && foundStart != startOf[runs[foundId]] -> verdict = 2
       :: else -> verdict = 1
       fi
    fi
  }
}

proctype Thread(byte me) {
  byte id, at, n, seen, verdict, count, foundId, foundName, foundStart;
  byte rounds = 0;

  /* It is born with a free id. */
  atomic {
    if
    :: runs[1] == 0 -> id = 1
    :: runs[2] == 0 -> id = 2
    fi;
    runs[id] = me; clock++; startOf[me] = clock
  }
again:
  MAY_DIE;
  atomic {                                          /* name.enter */
    at = NONE;
    if
    :: entryName[0] == 0 -> at = 0
    :: entryName[0] != 0 && entryName[1] == 0 -> at = 1
    :: else
    fi;
    if :: at != NONE -> entryName[at] = me; entryId[at] = id :: else fi
  }
  if
  :: at == NONE ->                                  /* dead names make room */
     n = 0;
     do
     :: n == ENTRIES -> break
     :: n < ENTRIES ->
        look_entry(n);
        if
        :: verdict == 2 ->
           count = foundName;
           if
           :: !HELD || lock != count ->
              MAY_DIE;
              d_step { if :: entryName[n] == count -> entryName[n] = 0 :: else fi }   /* name.drop */
           :: else
           fi
        :: else
        fi;
        n++
     od;
     if :: entryName[0] != 0 && entryName[1] != 0 -> goto ended :: else -> goto again fi
  :: else
  fi;
  MAY_DIE;
  d_step { entryStart[at] = startOf[me]; entryTag[at] = me }          /* name.start */
  MAY_DIE;
  comings++;                                        /* name.count */
take:
  MAY_DIE;
  d_step { seen = lock; if :: seen == 0 -> lock = me :: else fi }
  if
  :: seen == 0 -> goto within
  :: seen == ABANDONED -> verdict = 2
  :: else ->
     count = comings;
     n = 0; verdict = 3;
     do
     :: n == ENTRIES -> break
     :: n < ENTRIES && entryName[n] == seen -> look_entry(n); if :: foundName != seen -> verdict = 3 :: else fi; break
     :: n < ENTRIES && entryName[n] != seen -> n++
     od;
     if
     :: verdict == 3 ->
        if :: lock != seen -> goto take :: else fi;
        if :: COUNTED && comings != count -> goto take :: else fi;
        assert(false)                               /* I2: here no word is broken */
     :: verdict == 1 -> (lock != seen || dead[seen]) -> goto take
     :: else
     fi
  fi;
  MAY_DIE;
  d_step {
    if
    :: lock == seen -> assert(dead[seen]); lock = me    /* I1 */
    :: else -> seen = 0
    fi
  }
  if :: seen == 0 -> goto take :: else fi;
  MAY_DIE;
  if
  :: rounds == 0 ->                                 /* the repair fails */
     rounds = 1;
     lock = (BACK && seen != ABANDONED -> seen : ABANDONED);
     goto take
  :: true
  fi;
within:
  MAY_DIE;
  lock = 0;
  MAY_DIE;
  entryName[at] = 0;                                /* name.leave */
  if
  :: AGAIN && rounds < 2 -> rounds = 2; goto again
  :: true
  fi;
ended:
  atomic { dead[me] = true; runs[id] = 0 }
gone:
  skip
}

init {
  atomic { dead[ABANDONED] = true; run Thread(1); run Thread(2); run Thread(3) }
}
