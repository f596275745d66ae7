//! `&AtomicBump` as an allocator, for each version of the trait.

/// Implements the `Allocator` of one crate, given the paths of the trait and its error.
macro_rules! allocator {
    ($($trait:ident)::+, $($error:ident)::+) => {
        const _: () = {
            use core::alloc::Layout;
            use core::ptr::{self, NonNull};

            use $($error)::+ as Refused;

            use super::AtomicBump;
            use super::storage::BumpStorage;

            #[inline]
            fn block(bytes: Option<NonNull<u8>>, layout: Layout) -> Result<NonNull<[u8]>, Refused> {
                bytes.map(|bytes| NonNull::slice_from_raw_parts(bytes, layout.size())).ok_or(Refused)
            }

            /// Allocates for collections in the bump, such as a `Vec<T, &AtomicBump>` or a map.
            ///
            /// Any thread may grow, shrink and free a block. The last block of the calling thread's
            /// shard grows in place, and bytes that it gives up are allocated again. Any other
            /// block moves when it grows. Of the bytes that such blocks give up, the bump keeps
            /// only a few runs. The others are lost until the next reset.
            ///
            /// `push` on a full bump calls `handle_alloc_error`, which aborts. Use `try_reserve` if
            /// a bump may fill up. A collection borrows the bump, so none is left when the bump is
            /// reset.
            // SAFETY: no other block contains a byte of a block until it is freed, or until the
            // bump is reset or dropped, which requires that no reference to the bump is left. A
            // copy of the reference refers to the same bump.
            unsafe impl<S: BumpStorage> $($trait)::+ for &AtomicBump<S> {
                #[inline]
                fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, Refused> {
                    block(self.view().take(layout), layout)
                }

                #[inline]
                unsafe fn deallocate(&self, bytes: NonNull<u8>, layout: Layout) {
                    // SAFETY: the caller guarantees that this is a block of this bump with this
                    // layout, and gives it up.
                    unsafe { self.view().free(bytes, layout) };
                }

                #[inline]
                unsafe fn grow(&self, bytes: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, Refused> {
                    // SAFETY: the caller guarantees that this is a block of this bump with the
                    // layout `old`, and that `new` is at least as large. The caller gives up the
                    // block if this succeeds.
                    block(unsafe { self.view().grow(bytes, old, new) }, new)
                }

                #[inline]
                unsafe fn grow_zeroed(
                    &self,
                    bytes: NonNull<u8>,
                    old: Layout,
                    new: Layout,
                ) -> Result<NonNull<[u8]>, Refused> {
                    // SAFETY: as in `grow`.
                    let grown = unsafe { self.view().grow(bytes, old, new) };
                    if let Some(grown) = grown {
                        // SAFETY: the block has `new.size() - old.size()` bytes more than before.
                        unsafe { ptr::write_bytes(grown.as_ptr().add(old.size()), 0, new.size() - old.size()) };
                    }
                    block(grown, new)
                }

                #[inline]
                unsafe fn shrink(&self, bytes: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, Refused> {
                    // SAFETY: the caller guarantees that this is a block of this bump with the
                    // layout `old`, and that `new` is at most as large. The caller gives up the
                    // block if this succeeds.
                    block(unsafe { self.view().shrink(bytes, old, new) }, new)
                }
            }
        };
    };
}

#[cfg(feature = "allocator-api2-02")]
allocator!(allocator_api2_02::alloc::Allocator, allocator_api2_02::alloc::AllocError);
#[cfg(feature = "allocator-api2-04")]
allocator!(allocator_api2_04::alloc::Allocator, allocator_api2_04::alloc::AllocError);
#[cfg(feature = "nightly")]
allocator!(core::alloc::Allocator, core::alloc::AllocError);
